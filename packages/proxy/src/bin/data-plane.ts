import { describeError } from '@flotilla/base';
import { runProxy } from '../run.js';

runProxy(process.argv.slice(3), process.env).catch((error: unknown) => {
  process.stderr.write(`proxy: ${describeError(error)}\n`);
  process.exit(1);
});
