import { serve, text } from '../http/server.js';

/** hashicorp/http-echo: answers every request with one text. Flags `-text`, `-listen`, `-status-code`; env ECHO_TEXT. */
function flag(name: string): string | undefined {
  const args = process.argv.slice(2);
  const at = args.findIndex((arg) => arg.replace(/^--?/, '').split('=')[0] === name);
  if (at < 0) return undefined;
  const inline = args[at]!.indexOf('=');
  return inline >= 0 ? args[at]!.slice(inline + 1) : args[at + 1];
}

const body = flag('text') ?? process.env.ECHO_TEXT ?? 'hello-world';
const [host, port] = (flag('listen') ?? ':5678').split(/:(?=\d+$)/);
const status = Number(flag('status-code') ?? 200);
serve(
  Number(port),
  (request) => Promise.resolve(request.path === '/health' ? text('{"status":"ok"}\n') : text(`${body}\n`, status)),
  { host: host || undefined },
);
