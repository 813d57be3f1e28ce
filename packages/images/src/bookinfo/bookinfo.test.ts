import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import { get } from '../http/fetch.js';
import type { Reply, Request } from '../http/server.js';
import { details } from './details.js';
import { productpage } from './productpage.js';
import { ratings } from './ratings.js';
import { reviews } from './reviews.js';
import { loginCookie, sessionUser } from './session.js';

/** Serves a handler on a free port of the machine, for one test. */
async function serving(
  t: { teardown(fn: () => void): void },
  handler: (request: Request) => Promise<Reply>,
): Promise<string> {
  const server = createServer((message, response) => {
    const url = new URL(message.url ?? '/', 'http://localhost');
    const chunks: Buffer[] = [];
    message.on('data', (chunk: Buffer) => chunks.push(chunk));
    message.on('end', () => {
      const request: Request = {
        method: message.method ?? 'GET',
        path: url.pathname,
        query: url.searchParams,
        headers: message.headers,
        body: Buffer.concat(chunks),
        raw: message,
      };
      void handler(request).then((reply) => response.writeHead(reply.status ?? 200, reply.headers).end(reply.body));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => void (server.closeAllConnections(), server.close()));
  return String((server.address() as AddressInfo).port);
}

const environment = (ports: Record<string, string>): NodeJS.ProcessEnv =>
  Object.fromEntries(
    Object.entries(ports).flatMap(([name, port]) => [
      [`${name.toUpperCase()}_HOSTNAME`, '127.0.0.1'],
      [`${name.toUpperCase()}_SERVICE_PORT`, port],
    ]),
  );

test('the product page joins details, reviews and ratings; each version has its stars', async (t) => {
  const ports: Record<string, string> = {
    details: await serving(t, details),
    ratings: await serving(t, ratings()),
  };
  for (const [version, mark] of [
    ['v1', undefined],
    ['v2', 'color="black"'],
    ['v3', 'color="red"'],
  ] as const) {
    const reviewsPort = await serving(t, reviews(version, environment(ports)));
    const page = await serving(t, productpage(environment({ ...ports, reviews: reviewsPort })));
    const reply = await get(`http://127.0.0.1:${page}/productpage`, {}, 5_000);
    const body = reply.body.toString();
    t.is(reply.status, 200);
    t.regex(body, /<title>Simple Bookstore App<\/title>/);
    t.regex(body, /PublisherA/);
    t.is(body.includes('glyphicon-star'), mark !== undefined);
    if (mark) t.true(body.includes(mark));
  }
});

test('who logged in goes along as end-user, and a forged cookie does not', async (t) => {
  let seen: string | undefined;
  const port = await serving(t, (request) => {
    seen = request.headers['end-user'] as string | undefined;
    return details(request);
  });
  const page = await serving(t, productpage(environment({ details: port, reviews: port, ratings: port })));
  const at = `http://127.0.0.1:${page}/api/v1/products/0`;
  const cookie = loginCookie('jason').split(';')[0]!;
  await get(at, { cookie }, 5_000);
  t.is(seen, 'jason');
  await get(at, { cookie: `${cookie}x` }, 5_000);
  t.is(seen, undefined);
  t.is(sessionUser('a=b; session=x.y'), undefined);
});

test('a service that is away becomes a sentence on the page, not a failure', async (t) => {
  const page = await serving(t, productpage(environment({ details: '1', reviews: '1', ratings: '1' })));
  const reply = await get(`http://127.0.0.1:${page}/productpage`, {}, 5_000);
  t.is(reply.status, 200);
  t.regex(reply.body.toString(), /Error fetching product reviews!/);
  t.regex(reply.body.toString(), /Sorry, product details are currently unavailable/);
});

test('ratings can be posted, and nonsense is refused', async (t) => {
  const handler = ratings();
  const ask = (method: string, path: string, body = ''): Promise<Reply> =>
    handler({ method, path, body: Buffer.from(body) } as Request);
  t.is((await ask('POST', '/ratings/7', '{"Reviewer1":1}')).body, '{"id":7,"ratings":{"Reviewer1":1}}');
  t.is((await ask('GET', '/ratings/7')).body, '{"id":7,"ratings":{"Reviewer1":1}}');
  t.is((await ask('POST', '/ratings/7', '[1]')).status, 400);
  t.is((await ask('GET', '/ratings/x')).status, 400);
});
