import { existsSync } from 'node:fs';
import test from 'ava';
import { connect, StringCodec } from 'nats';
import { startNats } from './index.js';

const text = StringCodec();

test('a server of one’s own, with users, permissions and a system account, survives kill and start', async (t) => {
  const nats = await startNats({
    users: [{ user: 'a', publish: ['x', '$JS.API.>'], subscribe: ['_INBOX.>'] }, { user: 'b' }],
    systemAccount: true,
  });
  t.teardown(() => nats.close());
  const of = (user: string) => {
    const { servers, user: name, password } = nats.access(user);
    return connect({ servers, user: name, pass: password, reconnectTimeWait: 20, maxReconnectAttempts: -1 });
  };
  const [a, b, system] = await Promise.all([of('a'), of('b'), of('system')]);
  t.teardown(() => Promise.all([a.close(), b.close(), system.close()]));

  b.subscribe('x', { callback: (_error, message) => void message.respond(text.encode('yes')) });
  await b.flush();
  t.is(text.decode((await a.request('x')).data), 'yes');
  await t.throwsAsync(a.request('y', undefined, { timeout: 500 }));

  const gone = new Promise<string>((resolve) => {
    system.subscribe('$SYS.ACCOUNT.*.DISCONNECT', { callback: (_e, m) => resolve(text.decode(m.data)) });
  });
  await system.flush();
  const short = await of('b');
  await short.close();
  t.true((await gone).includes('"user":"b"'));

  const manager = await b.jetstreamManager({ timeout: 200 });
  await manager.streams.add({ name: 'S', subjects: ['s'] });
  await b.jetstream().publish('s', text.encode('kept'));
  const port = nats.port;
  await nats.kill();
  await nats.start();
  t.is(nats.port, port);
  for (;;) {
    try {
      t.is((await manager.streams.info('S')).state.messages, 1);
      break;
    } catch (error) {
      t.log(`retrying after ${String(error)}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
});

test('close leaves nothing behind', async (t) => {
  const nats = await startNats();
  const { pid, dir } = nats;
  t.true(existsSync(dir));
  await nats.pause();
  await nats.close();
  await t.throwsAsync(connect({ servers: nats.url, reconnect: false }));
  t.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
  t.false(existsSync(dir));
});
