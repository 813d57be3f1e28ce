/** What curl's and wget's command lines come to, as far as the built-in client knows them. */
export interface CurlOptions {
  name: 'curl' | 'wget';
  urls: string[];
  method: string;
  headers: Record<string, string>;
  data?: Buffer;
  output?: string;
  include: boolean;
  silent: boolean;
  showError: boolean;
  fail: boolean;
  failCode: number;
  location: boolean;
  insecure: boolean;
  /** Print the body as it arrives. */
  stream: boolean;
  maxTimeMs?: number;
  writeOut?: string;
  failMessage(status: number): string;
  errorMessage(code: number, url: string, error: Error): string;
}

export type Parsed = CurlOptions | { error: string };

const shortWithValue = 'XHdouwmAbre';
const aliases: Record<string, string> = {
  X: 'request',
  H: 'header',
  d: 'data',
  o: 'output',
  u: 'user',
  w: 'write-out',
  m: 'max-time',
  A: 'user-agent',
  b: 'cookie',
  r: 'range',
  e: 'referer',
  s: 'silent',
  S: 'show-error',
  i: 'include',
  I: 'head',
  f: 'fail',
  L: 'location',
  k: 'insecure',
  v: 'verbose',
  N: 'no-buffer',
  G: 'get',
  g: 'globoff',
  4: 'ipv4',
};
const longWithValue = new Set([
  ...shortWithValue.split('').map((letter) => aliases[letter]!),
  'data-raw',
  'data-binary',
  'data-urlencode',
  'json',
  'url',
  'connect-timeout',
  'retry',
  'retry-delay',
  'cacert',
]);
const known = new Set([
  ...Object.values(aliases),
  ...longWithValue,
  'http1.1',
  'compressed',
  'retry-connrefused',
  'progress-bar',
  'no-progress-meter',
]);

type Flag = [name: string, value: string];

/** Splits arguments into flags and operands: `-sSo file`, `--max-time=3`, `-XPOST`. */
function split(args: readonly string[]): { flags: Flag[]; operands: string[] } | { error: string } {
  const flags: Flag[] = [];
  const operands: string[] = [];
  const queue = [...args];
  while (queue.length > 0) {
    const arg = queue.shift()!;
    if (arg.startsWith('--')) {
      const [name = '', inline] = arg.slice(2).split(/=(.*)/s);
      if (!known.has(name)) return { error: `curl: option ${arg}: is unknown to the built-in curl` };
      flags.push([name, longWithValue.has(name) ? (inline ?? queue.shift() ?? '') : '']);
    } else if (arg.startsWith('-') && arg.length > 1) {
      for (let i = 1; i < arg.length; i++) {
        const name = aliases[arg[i]!];
        if (!name) return { error: `curl: option -${arg[i]}: is unknown to the built-in curl` };
        const takesValue = shortWithValue.includes(arg[i]!);
        const rest = arg.slice(i + 1);
        flags.push([name, takesValue ? rest || (queue.shift() ?? '') : '']);
        if (takesValue) break;
      }
    } else operands.push(arg);
  }
  return { flags, operands };
}

function bodyOf(flags: Flag[], readFile: (path: string) => Buffer): Buffer | undefined {
  const parts = flags
    .filter(([name]) => name.startsWith('data') || name === 'json')
    .map(([name, value]) => {
      if (name === 'data-urlencode') return Buffer.from(encodeURIComponent(value).replace(/%3D/, '='));
      return value.startsWith('@') && name !== 'data-raw' ? readFile(value.slice(1)) : Buffer.from(value);
    });
  return parts.length === 0
    ? undefined
    : Buffer.concat(parts.flatMap((part, i) => (i > 0 ? [Buffer.from('&'), part] : [part])));
}

function headersOf(flags: Flag[], hasBody: boolean): Record<string, string> {
  const headers: Record<string, string> = { 'user-agent': 'curl/8.5.0', accept: '*/*' };
  if (hasBody) headers['content-type'] = 'application/x-www-form-urlencoded';
  for (const [name, value] of flags) {
    if (name === 'json') Object.assign(headers, { 'content-type': 'application/json', accept: 'application/json' });
    if (name === 'user-agent') headers['user-agent'] = value;
    if (name === 'cookie') headers.cookie = value;
    if (name === 'referer') headers.referer = value;
    if (name === 'range') headers.range = `bytes=${value}`;
    if (name === 'user') headers.authorization = `Basic ${Buffer.from(value).toString('base64')}`;
    if (name !== 'header') continue;
    const [key = '', content = ''] = value.split(/:\s*(.*)/s);
    if (content === '') delete headers[key.toLowerCase()];
    else headers[key.toLowerCase()] = content;
  }
  return headers;
}

export function parseCurl(args: readonly string[], readFile: (path: string) => Buffer): Parsed {
  const result = split(args);
  if ('error' in result) return result;
  const { flags, operands } = result;
  const has = (name: string): boolean => flags.some(([flag]) => flag === name);
  const last = (name: string): string | undefined => flags.filter(([flag]) => flag === name).at(-1)?.[1];
  const urls = [...flags.filter(([name]) => name === 'url').map(([, value]) => value), ...operands];
  if (urls.length === 0) return { error: 'curl: (2) no URL specified' };
  const data = bodyOf(flags, readFile);
  const seconds = last('max-time') ?? last('connect-timeout');
  return {
    name: 'curl',
    urls,
    method: last('request') ?? (has('head') ? 'HEAD' : data ? 'POST' : 'GET'),
    headers: headersOf(flags, data !== undefined),
    data,
    output: last('output'),
    include: has('include') || has('head'),
    silent: has('silent'),
    showError: has('show-error'),
    fail: has('fail'),
    failCode: 22,
    location: has('location'),
    insecure: has('insecure'),
    stream: has('no-buffer'),
    maxTimeMs: seconds === undefined ? undefined : Number(seconds) * 1000,
    writeOut: last('write-out'),
    failMessage: (status) => `curl: (22) The requested URL returned error: ${status}`,
    errorMessage: (code, url, error) => `curl: (${code}) ${describe(code, url, error)}`,
  };
}

function describe(code: number, url: string, error: Error): string {
  const host = url.replace(/^[a-z]+:\/\//i, '').split('/')[0];
  if (code === 6) return `Could not resolve host: ${host?.split(':')[0]}`;
  if (code === 7) return `Failed to connect to ${host}: Connection refused`;
  return error.message;
}

/** busybox's wget: `-q`, `-O FILE`, `-S`, `-T SECONDS`, `--header`, `--post-data`, `--spider`. */
export function parseWget(args: readonly string[]): Parsed {
  const urls: string[] = [];
  const headers: Record<string, string> = { 'user-agent': 'Wget' };
  let output: string | undefined;
  let data: Buffer | undefined;
  let maxTimeMs: number | undefined;
  let silent = false;
  let spider = false;
  const queue = [...args];
  while (queue.length > 0) {
    const arg = queue.shift()!;
    const value = (flag: string): string =>
      arg.length > flag.length ? arg.slice(flag.length).replace(/^=/, '') : (queue.shift() ?? '');
    if (/^-q?O/.test(arg)) {
      silent ||= arg.startsWith('-q');
      output = value(arg.startsWith('-q') ? '-qO' : '-O');
    } else if (arg === '-q' || arg === '-S') silent ||= arg === '-q';
    else if (arg.startsWith('-T') || arg.startsWith('--timeout'))
      maxTimeMs = Number(value(arg.startsWith('-T') ? '-T' : '--timeout')) * 1000;
    else if (arg.startsWith('--header')) {
      const [key = '', content = ''] = value('--header').split(/:\s*(.*)/s);
      headers[key.toLowerCase()] = content;
    } else if (arg.startsWith('--post-data')) data = Buffer.from(value('--post-data'));
    else if (arg === '--spider') spider = true;
    else if (arg === '--no-check-certificate') continue;
    else if (arg.startsWith('-') && arg !== '-') return { error: `wget: unrecognized option: ${arg}` };
    else urls.push(arg);
  }
  if (urls.length === 0) return { error: 'wget: missing URL' };
  const fromUrl = urls[0]!.split('?')[0]!.split('/').at(-1) || 'index.html';
  return {
    name: 'wget',
    urls,
    method: spider ? 'HEAD' : data ? 'POST' : 'GET',
    headers,
    data,
    output: output === '-' ? undefined : (output ?? (spider ? '/dev/null' : fromUrl)),
    include: false,
    silent,
    showError: true,
    fail: true,
    failCode: 1,
    location: true,
    insecure: true,
    stream: false,
    maxTimeMs,
    failMessage: (status) => `wget: server returned error: HTTP/1.1 ${status}`,
    errorMessage: (code, url, error) =>
      `wget: ${code === 6 ? `bad address '${new URL(/:\/\//.test(url) ? url : `http://${url}`).hostname}'` : error.message}`,
  };
}
