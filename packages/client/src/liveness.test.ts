import { silentLogger } from '@flotilla/base';
import { systemClock } from '@flotilla/host';
import test from 'ava';
import { natsNodeLiveness, serveNodeLiveness } from './index.js';
import { fleet, until } from './testing/fake-api.js';

test('heartbeats, pings, and NATS’s own word on who comes and goes', async (t) => {
  const f = await fleet(t, { users: [{ user: 'controllers' }, { user: 'node-1' }], systemAccount: true });
  const nc = await f.connect('controllers');
  const liveness = natsNodeLiveness({ nc, system: await f.connect('system'), logger: silentLogger });
  t.teardown(() => liveness.close());
  const heard: string[] = [];
  let beats = 0;
  liveness.onConnection((name, event) => heard.push(`${name} ${event}`));
  liveness.onHeartbeat((node) => {
    t.is(node, 'node-1');
    beats++;
  });
  await nc.flush();
  t.is(await liveness.ping('node-1', 500), 'gone');

  const agent = await f.connect('node-1');
  const serving = serveNodeLiveness(agent, 'node-1', { clock: systemClock, intervalMs: 10 });
  await until(() => beats > 3);
  t.is(await liveness.ping('node-1', 500), 'alive');
  await until(() => heard.includes('node-1 connected'));

  const second = await f.connect('node-1');
  await until(() => heard.filter((h) => h === 'node-1 connected').length === 2);
  await second.close();
  const started = performance.now();
  await agent.close();
  await until(() => heard.includes('node-1 disconnected'));
  t.log(`${Math.round(performance.now() - started)} ms to the advisory`);
  t.is(heard.filter((h) => h === 'node-1 disconnected').length, 1, 'only the last connection counts');
  t.is(await liveness.ping('node-1', 500), 'gone');
  await serving.stop();
});

test('a hung agent is silent', async (t) => {
  const f = await fleet(t);
  const nc = await f.connect('controllers');
  const agent = await f.connect('node-1');
  agent.subscribe('node.node-1.ping', { callback: () => undefined });
  await agent.flush();
  const liveness = natsNodeLiveness({ nc, logger: silentLogger });
  t.teardown(() => liveness.close());
  t.is(await liveness.ping('node-1', 50), 'silent');
});
