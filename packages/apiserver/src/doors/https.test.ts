import { Agent, request as httpsRequest } from 'node:https';
import { silentLogger } from '@flotilla/base';
import test, { type ExecutionContext } from 'ava';
import { TestApi } from '../testing/api.js';
import { type CertificatePair, TestAuthority } from '@flotilla/testkit';
import { type HttpsDoor, openHttpsDoor } from './https.js';

interface World {
  api: TestApi;
  door: HttpsDoor;
  ca: TestAuthority;
  admin: CertificatePair;
}

async function open(t: ExecutionContext): Promise<World> {
  const api = await TestApi.ready();
  const ca = await TestAuthority.create();
  const [server, admin] = await Promise.all([
    ca.issue('CN=server', '127.0.0.1'),
    ca.issue('CN=admin,O=system:masters'),
  ]);
  const door = await openHttpsDoor({
    host: '127.0.0.1',
    port: 0,
    tls: { ca: ca.cert, ...server },
    pipeline: api.pipeline,
    metrics: api.metrics,
    logger: silentLogger,
  });
  t.teardown(() => door.stop());
  return { api, door, ca, admin };
}

interface Got {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
}

interface Ask {
  pair?: CertificatePair | undefined;
  method?: string;
  headers?: Record<string, string>;
  body?: string | Buffer;
  agent?: Agent;
}

function ask(world: World, path: string, options: Ask = {}): Promise<Got> {
  const { pair, method = 'GET', headers = {}, body, agent } = options;
  return new Promise((resolve, reject) => {
    const { host, port } = world.door.address;
    const outgoing = httpsRequest(
      { host, port, path, method, headers, ca: world.ca.cert, ...pair, agent: agent ?? false },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (text += chunk));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

test('a client certificate of the cluster’s authority says who asks', async (t) => {
  const world = await open(t);
  const { status, text, headers } = await ask(world, '/api/v1/namespaces/default', { pair: world.admin });
  t.is(status, 200);
  t.is((JSON.parse(text) as { metadata: { name: string } }).metadata.name, 'default');
  t.is(headers['content-type'], 'application/json');
  const bob = await ask(world, '/api/v1/namespaces', { pair: await world.ca.issue('CN=bob,O=devs') });
  t.is(bob.status, 403);
  t.regex(bob.text, /User \\"bob\\" cannot list resource \\"namespaces\\"/);
});

test('nobody learns nothing but health; a certificate of another authority, a token: 401', async (t) => {
  const world = await open(t);
  t.is((await ask(world, '/readyz')).text, 'ok');
  const nobody = await ask(world, '/api/v1/namespaces');
  t.is(nobody.status, 401);
  t.regex(nobody.text, /"reason":"Unauthorized"/);
  const stranger = await (await TestAuthority.create('CN=test-ca')).issue('CN=admin,O=system:masters');
  t.is((await ask(world, '/api/v1/namespaces', { pair: stranger })).status, 401);
  t.is((await ask(world, '/readyz', { headers: { authorization: 'Bearer x' } })).status, 401);
});

test('connections are kept, bodies limited, HEAD has no body', async (t) => {
  const world = await open(t);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  for (let i = 0; i < 3; i++) t.is((await ask(world, '/version', { pair: world.admin, agent })).status, 200);
  const head = await ask(world, '/version', { pair: world.admin, method: 'HEAD', agent });
  t.is(head.status, 200);
  t.is(head.text, '');
  const huge = Buffer.alloc(3 * 1024 * 1024 + 1, 'x');
  const refused = await ask(world, '/api/v1/namespaces', { pair: world.admin, method: 'POST', body: huge }).catch(
    () => ({ status: 413 }),
  );
  t.is(refused.status, 413);
});

test('warnings and conditional answers travel as headers', async (t) => {
  const world = await open(t);
  const made = await ask(world, '/api/v1/namespaces/default/configmaps', {
    pair: world.admin,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ metadata: { name: 'a' }, foo: 1 }),
  });
  t.is(made.status, 201);
  t.is(made.headers.warning, '299 - "unknown field \\"foo\\""');
  const first = await ask(world, '/openapi/v3', { pair: world.admin });
  const again = await ask(world, '/openapi/v3', {
    pair: world.admin,
    headers: { 'if-none-match': String(first.headers.etag) },
  });
  t.is(again.status, 304);
  t.is(again.text, '');
});

test('a watch streams; stopping the server ends it', async (t) => {
  const world = await open(t);
  const { host, port } = world.door.address;
  const lines: string[] = [];
  const ended = new Promise<void>((resolve, reject) => {
    const path = '/api/v1/namespaces?watch=true';
    const outgoing = httpsRequest({ host, port, path, ca: world.ca.cert, ...world.admin, agent: false }, (response) => {
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        lines.push(...chunk.trim().split('\n'));
        if (lines.length === 1) world.api.create('namespaces', { metadata: { name: 'b' } }).catch(reject);
        if (lines.length === 2) world.door.stop().catch(reject);
      });
      response.on('close', () => resolve());
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
  await ended;
  t.deepEqual(
    lines.map(
      (line) => (JSON.parse(line) as { type: string; object: { metadata: { name: string } } }).object.metadata.name,
    ),
    ['default', 'b'],
  );
});

test('a client that leaves ends its watch', async (t) => {
  const world = await open(t);
  const { host, port } = world.door.address;
  await new Promise<void>((resolve, reject) => {
    const path = '/api/v1/namespaces?watch=true';
    const outgoing = httpsRequest({ host, port, path, ca: world.ca.cert, ...world.admin, agent: false }, (response) => {
      response.once('data', () => outgoing.destroy());
      response.on('error', () => undefined);
      response.on('close', resolve);
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
  const running = async (): Promise<number> =>
    Number(
      /apiserver_longrunning_requests (\d+)/.exec((await ask(world, '/metrics', { pair: world.admin })).text)?.[1],
    );
  while ((await running()) > 0) await new Promise(setImmediate);
  t.pass();
});
