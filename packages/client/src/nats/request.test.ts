import { deferred, silentLogger } from '@flotilla/base';
import { systemClock } from '@flotilla/host';
import { type NatsFixture, type NatsFixtureOptions, startNats } from '@flotilla/testkit';
import test, { type ExecutionContext } from 'ava';
import {
  type ApiResponse,
  connectNats,
  natsTransport,
  serveRequests,
  type Transport,
  TransportError,
} from '../index.js';

async function setUp(t: ExecutionContext, options: NatsFixtureOptions = {}) {
  const nats = await startNats(options);
  const connectAs = async (user: string) => {
    const nc = await connectNats(nats.access(user), { logger: silentLogger });
    t.teardown(() => nc.close());
    return nc;
  };
  t.teardown(() => nats.close());
  const [server, client] = [await connectAs('apiserver'), await connectAs('node-1')];
  return { nats, connectAs, server, client, transport: natsTransport(client, 'node-1', { clock: systemClock }) };
}

const answer = (body: string | Uint8Array, status = 200): ApiResponse => ({
  status,
  contentType: 'text/plain',
  body: typeof body === 'string' ? Buffer.from(body) : body,
});

const logger = silentLogger;
const get = { method: 'GET', path: '/x' } as const;

test('a request arrives as it was sent, from whom the subject says, and its answer comes back', async (t) => {
  const { server, transport } = await setUp(t);
  serveRequests(server, 'api.*.request', async (r) => answer(JSON.stringify({ ...r, body: r.body.length }), 201), {
    logger,
  });
  await server.flush();
  const response = await transport.request({
    method: 'POST',
    path: '/api/v1/pods',
    query: { labelSelector: 'a=b,c!=d', 'odd&=': '%?' },
    accept: 'application/json',
    contentType: 'application/json',
    body: Buffer.from('{}'),
  });
  t.is(response.status, 201);
  t.is(response.contentType, 'text/plain');
  t.deepEqual(JSON.parse(Buffer.from(response.body).toString()), {
    identity: 'node-1',
    method: 'POST',
    path: '/api/v1/pods',
    query: { labelSelector: 'a=b,c!=d', 'odd&=': '%?' },
    accept: 'application/json',
    contentType: 'application/json',
    body: 2,
  });
});

test('bodies larger than max_payload travel in parts, both ways', async (t) => {
  const { server, transport } = await setUp(t, { maxPayload: 64 * 1024 });
  serveRequests(server, 'api.*.request', async (r) => answer(r.body), { logger });
  await server.flush();
  for (const size of [0, 1, 56 * 1024, 56 * 1024 + 1, 1_000_000]) {
    const body = Buffer.alloc(size, 'abcdefghijk');
    const { body: echoed } = await transport.request({ ...get, method: 'PUT', body });
    t.true(body.equals(echoed), `${size} bytes`);
  }
});

test('nobody there, a cancelled request, a failing handler', async (t) => {
  const { server, transport } = await setUp(t);
  await t.throwsAsync(transport.request(get), { instanceOf: TransportError, code: 'unavailable' });
  const never = new Promise<ApiResponse>(() => undefined);
  serveRequests(server, 'api.*.request', (r) => (r.path === '/hang' ? never : Promise.reject(new Error('secret'))), {
    logger,
  });
  await server.flush();
  const cancel = new AbortController();
  const hanging = transport.request({ ...get, path: '/hang' }, cancel.signal);
  cancel.abort(new Error('enough'));
  await t.throwsAsync(hanging, { message: 'enough' });
  const failed = await transport.request(get);
  t.is(failed.status, 500);
  t.false(Buffer.from(failed.body).toString().includes('secret'));
});

async function hanging(t: ExecutionContext, break_: (s: Awaited<ReturnType<typeof setUp>>) => Promise<void>) {
  const s = await setUp(t);
  const arrived = deferred<void>();
  const serving = serveRequests(
    s.server,
    'api.*.request',
    () => {
      arrived.resolve();
      return new Promise(() => undefined);
    },
    { logger },
  );
  void serving;
  await s.server.flush();
  const request = s.transport.request(get);
  await arrived.promise;
  const started = performance.now();
  const failed = t.throwsAsync(request, { instanceOf: TransportError, code: 'disconnected' });
  await break_(s);
  await failed;
  return performance.now() - started;
}

test('a lost connection ends a request at once, with an unknown outcome', async (t) => {
  t.true((await hanging(t, (s) => s.nats.kill())) < 1000);
});

test('a server that dies with the request is noticed within about a second', async (t) => {
  t.true((await hanging(t, (s) => s.server.close())) < 3000);
});

test('a server that was restarted does not know the request', async (t) => {
  const restart = async (s: Awaited<ReturnType<typeof setUp>>): Promise<void> => {
    await s.server.close();
    const again = await s.connectAs('apiserver');
    serveRequests(again, 'api.*.request', async () => answer('new'), { logger });
    await again.flush();
  };
  t.true((await hanging(t, restart)) < 3000);
});

test('a slow answer is waited for', async (t) => {
  const { server, transport } = await setUp(t);
  serveRequests(
    server,
    'api.*.request',
    async () => {
      await new Promise((resolve) => setTimeout(resolve, 1500));
      return answer('late');
    },
    { logger },
  );
  await server.flush();
  t.is(Buffer.from((await transport.request(get)).body).toString(), 'late');
});

test('NATS that was killed and started again is used again at once', async (t) => {
  const { nats, server, transport } = await setUp(t);
  serveRequests(server, 'api.*.request', async () => answer('ok'), { logger });
  await server.flush();
  await transport.request(get);
  await nats.kill();
  await t.throwsAsync(untilUnavailable(transport), { code: 'unavailable' });
  await nats.start();
  await untilOk(() => transport.request(get));
  await nats.kill();
  const held = untilOk(() => transport.request(get));
  await nats.start();
  const started = performance.now();
  await held;
  const took = performance.now() - started;
  t.log(`${Math.round(took)} ms after the server was back`);
  t.true(took < 1500);
});

/** The first requests after a kill may still be lost with the connection. */
async function untilUnavailable(transport: Transport): Promise<never> {
  for (;;) {
    try {
      await transport.request(get);
    } catch (error) {
      if (!(error instanceof TransportError) || error.code !== 'disconnected') throw error;
    }
  }
}

async function untilOk<T>(fn: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await fn();
    } catch (error) {
      if (!(error instanceof TransportError)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

test('one identity cannot speak as another', async (t) => {
  const nats: NatsFixture = await startNats({
    users: [
      { user: 'apiserver' },
      {
        user: 'node-1',
        publish: ['api.node-1.>', 'stream.node-1.>'],
        subscribe: ['_INBOX.node-1.>', 'stream.node-1.>'],
      },
    ],
  });
  t.teardown(() => nats.close());
  const server = await connectNats(nats.access('apiserver'), { logger });
  const client = await connectNats(nats.access('node-1'), { logger });
  t.teardown(() => Promise.all([server.close(), client.close()]));
  serveRequests(server, 'api.*.request', async (r) => answer(r.identity), { logger });
  await server.flush();
  const own = await natsTransport(client, 'node-1').request(get);
  t.is(Buffer.from(own.body).toString(), 'node-1');
  const impostor = natsTransport(client, 'node-2', { timeoutMs: 500 });
  await t.throwsAsync(impostor.request(get), { instanceOf: TransportError });
});
