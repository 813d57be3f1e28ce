import { connect, type Socket } from 'node:net';
import test from 'ava';
import { ManualClock } from '@flotilla/base';
import { systemClock } from '@flotilla/host';
import { dial, DialError } from './dial.js';
import { relay } from './relay.js';
import { listen, readAll, socketPair } from './testing.js';

test('half-close: the request may end before the answer begins', async (t) => {
  const server = await listen(t, (socket) => void readAll(socket).then((text) => socket.end(`got ${text}`)));
  const { client, accepted } = await socketPair(t);
  const upstream = await dial({ address: server.address, port: server.port, timeout: 1000 }, systemClock);
  const result = relay(accepted, upstream, 0, systemClock);
  const answer = readAll(client);
  client.end('question');
  t.is(await answer, 'got question');
  t.deepEqual(await result, { received: 8, sent: 12, end: 'downstream' });
});

test('much data both ways arrives whole', async (t) => {
  const server = await listen(t, (socket) => socket.pipe(socket).resume());
  const { client, accepted } = await socketPair(t);
  const upstream = await dial({ address: server.address, port: server.port, timeout: 1000 }, systemClock);
  const result = relay(accepted, upstream, 0, systemClock);
  const text = 'x'.repeat(2_000_000);
  const answer = readAll(client);
  client.end(text);
  t.is((await answer).length, text.length);
  t.like(await result, { received: text.length, sent: text.length });
});

test('a reset on one side ends the other', async (t) => {
  let held: Socket | undefined;
  const server = await listen(t, (socket) => (held = socket.resume()));
  const { client, accepted } = await socketPair(t);
  const upstream = await dial({ address: server.address, port: server.port, timeout: 1000 }, systemClock);
  const result = relay(accepted, upstream, 0, systemClock);
  const closed = new Promise((resolve) => client.once('end', resolve));
  client.write('x');
  while (!held || held.bytesRead === 0) await new Promise((resolve) => setImmediate(resolve));
  held.resetAndDestroy();
  t.is((await result).end, 'upstream');
  client.resume();
  await closed;
});

test('silence ends a connection', async (t) => {
  const clock = new ManualClock();
  const server = await listen(t, (socket) => socket.resume());
  const { accepted } = await socketPair(t);
  const upstream = await dial({ address: server.address, port: server.port, timeout: 1000 }, systemClock);
  const result = relay(accepted, upstream, 1000, clock);
  clock.advance(1000);
  t.is((await result).end, 'idle');
});

test('dialling: refused, too slow, called off, from an address of its own', async (t) => {
  const refused = await t.throwsAsync(dial({ address: '127.125.20.9', port: 1, timeout: 1000 }, systemClock), {
    instanceOf: DialError,
  });
  t.deepEqual(
    [refused.reason, refused.transport],
    ['remote connection failure', 'delayed connect error: Connection refused'],
  );
  const clock = new ManualClock();
  const slow = dial({ address: '127.125.20.9', port: 1, timeout: 5 }, clock);
  clock.advance(5);
  t.is((await t.throwsAsync(slow, { instanceOf: DialError })).reason, 'connection timeout');
  const abort = new AbortController();
  const off = dial({ address: '127.125.20.9', port: 1, timeout: 1000, signal: abort.signal }, systemClock);
  abort.abort(new Error('never mind'));
  await t.throwsAsync(off, { message: 'never mind' });
  const bad = await t.throwsAsync(
    dial({ address: '127.125.20.9', port: 1, localAddress: '192.0.2.1', timeout: 1000 }, systemClock),
    { instanceOf: DialError },
  );
  t.is(bad.reason, 'local connection failure');
  let seen = '';
  const server = await listen(t, (socket) => (seen = socket.remoteAddress ?? ''));
  const socket = await dial(
    { address: server.address, port: server.port, localAddress: '127.125.20.7', timeout: 1000 },
    systemClock,
  );
  while (seen === '') await new Promise((resolve) => setImmediate(resolve));
  t.is(seen, '127.125.20.7');
  socket.destroy();
});

test('a listener that is closed lets its port go at once', async (t) => {
  const server = await listen(t, () => {});
  const open = connect(server.port, server.address);
  await new Promise((resolve) => open.once('connect', resolve));
  await server.close();
  await t.throwsAsync(dial({ address: server.address, port: server.port, timeout: 1000 }, systemClock), {
    instanceOf: DialError,
  });
  open.destroy();
});
