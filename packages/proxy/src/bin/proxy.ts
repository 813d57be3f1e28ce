import { createRequire } from 'node:module';
import { describeError } from '@flotilla/base';
import { ArgumentError } from '../init/iptables-args.js';
import { runInit } from '../init/main.js';

// The image of both `istio-init` and `istio-proxy`. The first runs before every pod and is done in milliseconds: it does not
// even load the bundle of the second.
const [command, ...args] = process.argv.slice(2);

try {
  if (command === 'istio-iptables') runInit(args, process.env);
  else if (command === 'proxy') createRequire(import.meta.url)('./data-plane.cjs');
  else throw new ArgumentError('usage: proxy sidecar|router [--domain DOMAIN] …, or istio-iptables [-p PORT] …');
} catch (error) {
  process.stderr.write(`${command ?? 'proxy'}: ${describeError(error)}\n`);
  process.exit(1);
}
