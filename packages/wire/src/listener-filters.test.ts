import test from 'ava';
import { ManualClock } from '@flotilla/base';
import { systemClock } from '@flotilla/host';
import { inspect, type InspectOptions } from './listener-filters.js';
import { encodeProxyV2 } from './proxy-protocol.js';
import { readAll, socketPair } from './testing.js';

const base: InspectOptions = { proxyTimeout: 5000, sniffTimeout: 5000, onTimeout: 'continue' };
const header = encodeProxyV2({ address: '10.0.0.1', port: 1000 }, { address: '10.0.0.2', port: 80 });

test('reads a PROXY header and the protocol, and gives the other bytes back', async (t) => {
  const { client, accepted } = await socketPair(t);
  const found = inspect(accepted, { ...base, proxyProtocol: 'required', http: true }, systemClock);
  client.write(header.subarray(0, 10));
  client.write(header.subarray(10));
  client.end('GET / HTTP/1.1\r\n\r\n');
  t.like(await found, {
    source: { address: '10.0.0.1', port: 1000 },
    destination: { address: '10.0.0.2', port: 80 },
    applicationProtocols: ['http/1.1'],
  });
  t.is(await readAll(accepted), 'GET / HTTP/1.1\r\n\r\n');
});

test('without a required header the connection is refused; without an optional one it passes', async (t) => {
  const strict = await socketPair(t);
  strict.client.write('GET / HTTP/1.1\r\n\r\n');
  t.is(await inspect(strict.accepted, { ...base, proxyProtocol: 'required' }, systemClock), undefined);
  const lenient = await socketPair(t);
  lenient.client.end('hello there\n');
  t.like(await inspect(lenient.accepted, { ...base, proxyProtocol: 'optional', http: true }, systemClock), {
    applicationProtocols: [],
  });
  t.is(await readAll(lenient.accepted), 'hello there\n');
});

test('a client that waits for the server: on with it when the time is up, or closed', async (t) => {
  const clock = new ManualClock();
  const { accepted } = await socketPair(t);
  const found = inspect(accepted, { ...base, http: true, sniffTimeout: 100 }, clock);
  clock.advance(100);
  t.like(await found, { transportProtocol: 'raw_buffer', applicationProtocols: [] });
  const closing = inspect(accepted, { ...base, http: true, sniffTimeout: 100, onTimeout: 'close' }, clock);
  clock.advance(100);
  t.is(await closing, undefined);
});

test('an end before the protocol is known: what was sent is not lost', async (t) => {
  const { client, accepted } = await socketPair(t);
  client.end('GET');
  const found = await inspect(accepted, { ...base, http: true }, systemClock);
  t.is(found?.ended?.rest.toString(), 'GET');
});

test('nothing to inspect: nothing is read', async (t) => {
  const { client, accepted } = await socketPair(t);
  client.end('x');
  t.truthy(await inspect(accepted, base, systemClock));
  t.is(await readAll(accepted), 'x');
});
