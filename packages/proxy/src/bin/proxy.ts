import { describeError } from '@flotilla/base';
import { ArgumentError } from '../init/iptables-args.js';

// The image of both `istio-init` and `istio-proxy`. Each part is loaded only when it is the one that runs: the first is
// started before every pod, and has nothing to do with gRPC.
const [command, ...args] = process.argv.slice(2);

function fail(error: unknown): never {
  process.stderr.write(`${command ?? 'proxy'}: ${describeError(error)}\n`);
  process.exit(1);
}

if (command === 'istio-iptables') {
  import('../init/main.js').then(({ runInit }) => runInit(args, process.env)).catch(fail);
} else if (command === 'proxy') {
  import('../run.js').then(({ runProxy }) => runProxy(args, process.env)).catch(fail);
} else {
  fail(new ArgumentError('usage: proxy sidecar|router [--domain DOMAIN] …, or istio-iptables [-p PORT] …'));
}
