import { readFileSync, writeFileSync } from 'node:fs';
import { type IncomingHttpHeaders, type IncomingMessage, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { type CurlOptions, parseCurl, parseWget } from '../tools/arguments.js';

/**
 * curl and wget for pods of the `loopback` network: a Node program, so that the preload shim gives it the cluster's
 * names and the mesh's capture, which the machine's own curl cannot have without namespaces.
 */
interface Exchange {
  response: IncomingMessage;
  body: Buffer;
}

function exchange(url: URL, options: CurlOptions): Promise<Exchange> {
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const message = send(url, {
      method: options.method,
      headers: options.headers,
      rejectUnauthorized: !options.insecure,
      agent: false,
    });
    if (options.maxTimeMs)
      message.setTimeout(options.maxTimeMs, () => message.destroy(new TimedOut(options.maxTimeMs!)));
    message.on('error', reject);
    message.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        if (options.stream) process.stdout.write(chunk);
      });
      response.on('error', reject);
      response.on('end', () => resolve({ response, body: Buffer.concat(chunks) }));
    });
    message.end(options.data);
  });
}

class TimedOut extends Error {
  constructor(readonly ms: number) {
    super(`Operation timed out after ${ms} milliseconds`);
  }
}

/** curl's exit codes, for the failures that scripts test for. */
function exitCode(error: unknown): number {
  if (error instanceof TimedOut) return 28;
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 6;
  if (code === 'ECONNREFUSED' || code === 'EHOSTUNREACH') return 7;
  return code === 'ECONNRESET' ? 56 : 1;
}

function headerLines(response: IncomingMessage): string {
  const lines = [`HTTP/${response.httpVersion} ${response.statusCode} ${response.statusMessage}`];
  for (let i = 0; i < response.rawHeaders.length; i += 2) {
    lines.push(`${response.rawHeaders[i]!.toLowerCase()}: ${response.rawHeaders[i + 1]}`);
  }
  return `${lines.join('\r\n')}\r\n\r\n`;
}

function writeOut(template: string, last: Exchange, seconds: number): string {
  const values: Record<string, string> = {
    http_code: String(last.response.statusCode).padStart(3, '0'),
    response_code: String(last.response.statusCode).padStart(3, '0'),
    time_total: seconds.toFixed(6),
    size_download: String(last.body.length),
    content_type: String((last.response.headers as IncomingHttpHeaders)['content-type'] ?? ''),
  };
  return template
    .replace(/%\{(\w+)\}/g, (_, name: string) => values[name] ?? '')
    .replace(/\\n/g, '\n')
    .replace(/\\t/g, '\t');
}

async function follow(target: string, options: CurlOptions): Promise<Exchange> {
  let url = new URL(/^[a-z]+:\/\//i.test(target) ? target : `http://${target}`);
  for (let redirects = 0; ; redirects++) {
    const result = await exchange(url, options);
    const location = result.response.headers.location;
    const status = result.response.statusCode ?? 0;
    if (!options.location || !location || status < 300 || status > 399 || redirects >= 50) return result;
    url = new URL(location, url);
  }
}

async function fetchOne(target: string, options: CurlOptions): Promise<number> {
  const started = performance.now();
  try {
    const result = await follow(target, options);
    const status = result.response.statusCode ?? 0;
    if (options.fail && status >= 400) {
      if (!options.silent || options.showError) console.error(options.failMessage(status));
      return options.failCode;
    }
    const head = options.include ? headerLines(result.response) : '';
    if (options.output === undefined) {
      if (!options.stream) process.stdout.write(Buffer.concat([Buffer.from(head), result.body]));
    } else if (options.output !== '/dev/null') writeFileSync(options.output, result.body);
    if (options.writeOut)
      process.stdout.write(writeOut(options.writeOut, result, (performance.now() - started) / 1000));
    return 0;
  } catch (error) {
    const code = exitCode(error);
    if (!options.silent || options.showError) console.error(options.errorMessage(code, target, error as Error));
    if (options.writeOut)
      process.stdout.write(options.writeOut.replace(/%\{(http_code|response_code)\}/g, '000').replace(/\\n/g, '\n'));
    return options.name === 'wget' ? 1 : code;
  }
}

async function main(): Promise<number> {
  const [, , name, ...args] = process.argv;
  const parsed = name === 'wget' ? parseWget(args) : parseCurl(args, (file) => readFileSync(file));
  if ('error' in parsed) {
    console.error(parsed.error);
    return 2;
  }
  let code = 0;
  for (const url of parsed.urls) code = (await fetchOne(url, parsed)) || code;
  return code;
}

void main().then((code) => (process.exitCode = code));
