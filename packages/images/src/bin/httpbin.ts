import { randomUUID } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { html, json, type Reply, type Request, serve, text } from '../http/server.js';

/** The endpoints of httpbin that Istio's and Kubernetes' examples use. Port 80, or PORT. */
function canonical(headers: Request['headers']): Record<string, string> {
  const title = (name: string): string => name.replace(/(^|-)[a-z]/g, (c) => c.toUpperCase());
  return Object.fromEntries(
    Object.entries(headers)
      .sort(([a], [b]) => a.localeCompare(b))
      .map(([name, value]) => [title(name), Array.isArray(value) ? value.join(',') : (value ?? '')]),
  );
}

function describe(request: Request): Record<string, unknown> {
  return {
    args: Object.fromEntries(request.query),
    headers: canonical(request.headers),
    origin: String(request.headers['x-forwarded-for'] ?? request.raw.socket.remoteAddress ?? ''),
    url: `http://${request.headers.host ?? 'localhost'}${request.raw.url ?? '/'}`,
  };
}

function describeBody(request: Request): Record<string, unknown> {
  const data = request.body.toString();
  const type = request.headers['content-type'] ?? '';
  const form = type.includes('x-www-form-urlencoded') ? Object.fromEntries(new URLSearchParams(data)) : {};
  let parsed: unknown = null;
  try {
    parsed = data ? JSON.parse(data) : null;
  } catch {
    parsed = null;
  }
  return {
    ...describe(request),
    method: request.method,
    data: Object.keys(form).length > 0 ? '' : data,
    files: {},
    form,
    json: parsed,
  };
}

const wait = (seconds: number): Promise<void> => new Promise((done) => setTimeout(done, Math.min(seconds, 10) * 1000));

function basicAuth(request: Request, user: string, password: string): Reply {
  const given = Buffer.from(/^Basic (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '', 'base64').toString();
  if (given === `${user}:${password}`) return json({ authenticated: true, user });
  return { status: 401, headers: { 'www-authenticate': 'Basic realm="Fake Realm"' } };
}

const exact: Record<string, (request: Request) => Reply> = {
  '/': () => html('<!DOCTYPE html><title>httpbin</title><h1>httpbin</h1><p>/headers /get /post /status/418 /delay/2 …'),
  '/headers': (r) => json({ headers: canonical(r.headers) }),
  '/ip': (r) => json({ origin: describe(r).origin }),
  '/user-agent': (r) => json({ 'user-agent': r.headers['user-agent'] ?? null }),
  '/uuid': () => json({ uuid: randomUUID() }),
  '/get': (r) => json(describe(r)),
  '/post': (r) => json(describeBody(r)),
  '/put': (r) => json(describeBody(r)),
  '/patch': (r) => json(describeBody(r)),
  '/delete': (r) => json(describeBody(r)),
  '/html': () =>
    html(
      '<!DOCTYPE html><html><body><h1>A page</h1><p>Some text in a page, for those who ask for one.</p></body></html>',
    ),
  '/json': () => json({ slideshow: { title: 'Sample', slides: [{ title: 'First', type: 'all' }] } }),
  '/robots.txt': () => text('User-agent: *\nDisallow: /deny\n'),
  '/cookies': (r) =>
    json({
      cookies: Object.fromEntries(
        (r.headers.cookie ?? '')
          .split('; ')
          .filter(Boolean)
          .map((c) => c.split(/=(.*)/s).slice(0, 2)),
      ),
    }),
  '/gzip': (r) => ({
    headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
    body: gzipSync(JSON.stringify({ ...describe(r), gzipped: true })),
  }),
  '/response-headers': (r) => ({
    ...json(Object.fromEntries(r.query)),
    headers: { 'content-type': 'application/json', ...Object.fromEntries(r.query) },
  }),
  '/redirect-to': (r) => ({
    status: Number(r.query.get('status_code') ?? 302),
    headers: { location: r.query.get('url') ?? '/' },
  }),
};

async function byPattern(request: Request): Promise<Reply> {
  const [, name = '', first = '', second = ''] = request.path.split('/');
  switch (name) {
    case 'anything':
      return json(describeBody(request));
    case 'status':
      return { status: Math.min(599, Math.max(200, Number(first) || 400)) };
    case 'delay':
      await wait(Number(first) || 0);
      return json(describeBody(request));
    case 'bytes':
      return {
        headers: { 'content-type': 'application/octet-stream' },
        body: Buffer.alloc(Math.min(Number(first) || 0, 10 << 20), 'x'),
      };
    case 'basic-auth':
      return basicAuth(request, decodeURIComponent(first), decodeURIComponent(second));
    case 'redirect':
      return { status: 302, headers: { location: Number(first) > 1 ? `/redirect/${Number(first) - 1}` : '/get' } };
    default:
      return text('not found\n', 404);
  }
}

serve(Number(process.env.PORT ?? 80), (request) => {
  const handler = exact[request.path];
  return handler ? Promise.resolve(handler(request)) : byPattern(request);
});
