import { describeError } from '@flotilla/base';
import { type MasterConfig, runProcess, textLogger } from '@flotilla/host';
import { startMaster } from '../master.js';

const logger = textLogger('master');

void runProcess<MasterConfig>(logger, (config) => {
  const own = textLogger('master', config.logLevel ? { level: config.logLevel } : {});
  return startMaster(config, {
    logger: own,
    onDeposed: (reason) => {
      own.error('deposed; ending so that a fresh start can take over', { error: describeError(reason) });
      process.exit(1);
    },
  });
});
