import { type PilotConfig, runProcess, systemClock, systemRandom, textLogger } from '@flotilla/host';
import { startPilot } from '../pilot.js';

void runProcess<PilotConfig>(textLogger('pilot'), (config) =>
  startPilot(config, {
    clock: systemClock,
    random: systemRandom,
    logger: textLogger('pilot', config.logLevel ? { level: config.logLevel } : {}),
  }),
);
