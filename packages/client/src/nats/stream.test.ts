import { deferred, silentLogger } from '@flotilla/base';
import test from 'ava';
import { openStream, type StreamHandler, serveStreams, TransportError } from '../index.js';
import { type Fleet, fleet, until } from '../testing/fake-api.js';
import { receiveWindow } from './flow.js';

const logger = silentLogger;
const never = new AbortController().signal;

async function serve(f: Fleet, handler: StreamHandler, subject = 'api.*.stream') {
  const server = await f.connect('apiserver');
  const client = await f.connect('node-1');
  const serving = serveStreams(server, subject, handler, { logger });
  await server.flush();
  return { server, client, serving };
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

test('frames arrive in order, unchanged, however large', async (t) => {
  const f = await fleet(t, { maxPayload: 64 * 1024 });
  const sizes = [1, 0, 200_000, 3, 56 * 1024];
  const { client } = await serve(f, async (request, sink) => {
    t.deepEqual(request.tokens, ['api', 'node-1', 'stream']);
    t.is(request.headers.Question, 'why');
    t.is(text(request.body), 'body');
    sink.start(201, { Answer: 'because' });
    for (const [i, size] of sizes.entries()) await sink.write(Buffer.alloc(size, i + 65));
  });
  const request = { headers: { Question: 'why' }, body: Buffer.from('body') };
  const stream = await openStream(client, 'node-1', 'api.node-1.stream', request, never);
  t.is(stream.status, 201);
  t.is(stream.headers.Answer, 'because');
  const frames: Uint8Array[] = [];
  for await (const frame of stream.frames) frames.push(frame);
  t.deepEqual(
    frames.map((frame) => frame.length),
    sizes,
  );
  t.true(frames.every((frame, i) => frame.every((byte) => byte === i + 65)));
});

test('a refusal is a whole answer', async (t) => {
  const { client } = await serve(await fleet(t), async (_request, sink) =>
    sink.refuse(410, { X: 'y' }, Buffer.from('gone')),
  );
  const stream = await openStream(client, 'node-1', 'api.node-1.stream', {}, never);
  t.is(stream.status, 410);
  t.is(stream.headers.X, 'y');
  for await (const frame of stream.frames) t.is(text(frame), 'gone');
  await t.throwsAsync(stream.write(Buffer.from('x')), { instanceOf: TransportError });
});

test('a slow reader slows the writer down, and gets everything', async (t) => {
  let written = 0;
  const frame = Buffer.alloc(64 * 1024);
  const { client } = await serve(await fleet(t), async (_request, sink) => {
    for (let i = 0; i < 64; i++) {
      await sink.write(frame);
      written++;
    }
  });
  const stream = await openStream(client, 'node-1', 'api.node-1.stream', {}, never);
  const limit = receiveWindow / frame.length + 1;
  await until(() => written >= limit - 1);
  await client.flush();
  t.true(written <= limit, `${written} frames were written ahead`);
  let read = 0;
  for await (const got of stream.frames) {
    read += got.length;
    t.true(written <= read / frame.length + limit);
  }
  t.is(read, 64 * frame.length);
});

test('streams go both ways; the client can end its direction first', async (t) => {
  const { client } = await serve(await fleet(t), async (_request, sink) => {
    let total = '';
    for await (const frame of sink.frames) {
      total += text(frame);
      await sink.write(Buffer.from(text(frame).toUpperCase()));
    }
    await sink.write(Buffer.from(`bye ${total}`));
  });
  const stream = await openStream(client, 'node-1', 'api.node-1.stream', {}, never);
  const reader = stream.frames[Symbol.asyncIterator]();
  await stream.write(Buffer.from('a'));
  t.is(text((await reader.next()).value), 'A');
  await stream.write(Buffer.from('b'));
  t.is(text((await reader.next()).value), 'B');
  stream.end();
  t.is(text((await reader.next()).value), 'bye ab');
  t.true((await reader.next()).done);
  await t.throwsAsync(stream.write(Buffer.from('c')));
});

test('cancelling, or leaving the loop, ends the server’s side at once', async (t) => {
  const gone = [deferred<void>(), deferred<void>()];
  let served = 0;
  const { client } = await serve(await fleet(t), async (_request, sink) => {
    const { resolve } = gone[served++]!;
    sink.signal.addEventListener('abort', () => resolve(), { once: true });
    await sink.write(Buffer.from('first'));
    await gone[served - 1]!.promise;
    await t.throwsAsync(sink.write(Buffer.from('late')));
  });
  const cancel = new AbortController();
  const one = await openStream(client, 'node-1', 'api.node-1.stream', {}, cancel.signal);
  const reader = one.frames[Symbol.asyncIterator]();
  t.is(text((await reader.next()).value), 'first');
  const next = reader.next();
  cancel.abort(new Error('enough'));
  await t.throwsAsync(next, { message: 'enough' });
  await gone[0]!.promise;

  const two = await openStream(client, 'node-1', 'api.node-1.stream', {}, never);
  for await (const frame of two.frames) {
    t.is(text(frame), 'first');
    break;
  }
  await gone[1]!.promise;
});

test('nobody there; a handler that fails; a server that stops', async (t) => {
  const f = await fleet(t);
  let failLate = false;
  const { client, serving } = await serve(f, async (request, sink) => {
    if (request.headers.Fail) {
      if (failLate) await sink.write(Buffer.from('x'));
      throw new Error('secret');
    }
    await sink.write(Buffer.from('x'));
    await new Promise((_, reject) => sink.signal.addEventListener('abort', () => reject(sink.signal.reason as Error)));
  });
  const open = (headers: Record<string, string> = {}) =>
    openStream(client, 'node-1', 'api.node-1.stream', { headers }, never);
  t.is((await open({ Fail: '1' })).status, 500);
  failLate = true;
  const all = async (frames: AsyncIterable<Uint8Array>): Promise<void> => {
    for await (const frame of frames) t.is(text(frame), 'x');
  };
  await t.throwsAsync(all((await open({ Fail: '1' })).frames), { instanceOf: TransportError });
  const stopped = t.throwsAsync(all((await open()).frames), { instanceOf: TransportError, code: 'disconnected' });
  await serving.stop();
  await stopped;
  await t.throwsAsync(open(), { instanceOf: TransportError, code: 'unavailable' });
});

const forEver: StreamHandler = async (_request, sink) => {
  await sink.write(Buffer.from('x'));
  await new Promise<void>((resolve) => sink.signal.addEventListener('abort', () => resolve()));
};

test('a server whose connection is gone is noticed within about a second', async (t) => {
  const { client, server } = await serve(await fleet(t), forEver);
  const stream = await openStream(client, 'node-1', 'api.node-1.stream', {}, never);
  const reader = stream.frames[Symbol.asyncIterator]();
  await reader.next();
  const next = reader.next();
  const started = performance.now();
  await server.close();
  await t.throwsAsync(next, { instanceOf: TransportError, code: 'disconnected' });
  t.true(performance.now() - started < 2000);
});

test('a client that is gone is noticed within seconds', async (t) => {
  const over = deferred<void>();
  const { client } = await serve(await fleet(t), async (request, sink) => {
    await forEver(request, sink);
    over.resolve();
  });
  const stream = await openStream(client, 'node-1', 'api.node-1.stream', {}, never);
  await stream.frames[Symbol.asyncIterator]().next();
  const started = performance.now();
  await client.close();
  await over.promise;
  t.true(performance.now() - started < 8000);
});

test('a NATS server that is killed ends streams on both sides', async (t) => {
  const f = await fleet(t);
  const over = deferred<void>();
  const { client } = await serve(f, async (request, sink) => {
    await forEver(request, sink);
    over.resolve();
  });
  const stream = await openStream(client, 'node-1', 'api.node-1.stream', {}, never);
  const reader = stream.frames[Symbol.asyncIterator]();
  await reader.next();
  const next = t.throwsAsync(reader.next(), { instanceOf: TransportError, code: 'disconnected' });
  await f.nats.kill();
  await Promise.all([next, over.promise]);
  await t.throwsAsync(openStream(client, 'node-1', 'api.node-1.stream', {}, never), { code: 'unavailable' });
});

test('an agent serves the API server the same way, and may speak of itself only', async (t) => {
  const node = {
    user: 'node-1',
    publish: ['api.node-1.>', 'stream.node-1.>', 'hb.node-1'],
    subscribe: ['_INBOX.node-1.>', 'stream.node-1.>', 'node.node-1.>'],
    allowResponses: true,
  };
  const f = await fleet(t, { users: [{ user: 'apiserver' }, node] });
  const agent = await f.connect('node-1');
  const apiserver = await f.connect('apiserver');
  serveStreams(
    agent,
    'node.node-1.logs',
    async (_request, sink) => {
      // Longer than the server's probes and pings, which NATS must let pass too.
      await new Promise((resolve) => setTimeout(resolve, 1200));
      for (let i = 0; i < 3; i++) await sink.write(Buffer.alloc(300_000, 'line'));
    },
    { logger },
  );
  await agent.flush();
  const stream = await openStream(apiserver, 'node-1', 'node.node-1.logs', {}, never);
  t.is(stream.status, 200);
  let bytes = 0;
  for await (const frame of stream.frames) bytes += frame.length;
  t.is(bytes, 900_000);
  const forged = openStream(agent, 'node-2', 'api.node-2.stream', {}, AbortSignal.timeout(700));
  await t.throwsAsync(forged, { any: true });
});
