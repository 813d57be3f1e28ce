import { ManualClock } from '@flotilla/base';
import test from 'ava';
import { fleet, until } from '../testing/fake-api.js';
import { linkOf } from './link.js';
import { ClientWatch, ServerWatch } from './peers.js';

const stream = () => {
  const failures: string[] = [];
  return { failures, fail: (error: Error) => void failures.push(error.message) };
};

test('a server that is there but hangs is given up after some seconds; one that answers is not', async (t) => {
  const f = await fleet(t);
  const [client, server] = [await f.connect('client'), await f.connect('server')];
  let pings = 0;
  server.subscribe('hung', { callback: () => void pings++ });
  server.subscribe('well', { callback: (_error, msg) => void (msg.respond(), pings++) });
  await server.flush();
  const clock = new ManualClock();
  const watch = new ServerWatch(linkOf(client), clock);
  const [hung, well] = [stream(), stream()];
  watch.add('hung', hung);
  const leave = watch.add('well', well);
  for (let i = 1; i <= 20; i++) {
    clock.advance(250);
    await until(() => pings === 2 * i);
    await client.flush();
    await server.flush();
    await client.flush();
  }
  t.deepEqual(hung.failures, []);
  clock.advance(250);
  t.deepEqual(hung.failures, ['the server does not answer']);
  t.deepEqual(well.failures, []);
  leave();
  await server.close();
});

test('a client that is not heard of is given up after some seconds', async (t) => {
  const f = await fleet(t);
  const server = await f.connect('server');
  const clock = new ManualClock();
  const watch = new ClientWatch(server, clock, 'ping');
  const [gone, left] = [stream(), stream()];
  watch.add('gone', gone);
  watch.add('left', left)();
  clock.advance(4999);
  t.deepEqual(gone.failures, []);
  clock.advance(1);
  t.deepEqual(gone.failures, ['the client has not been heard of']);
  t.deepEqual(left.failures, []);
  watch.stop();
});
