import { configMaps, type core } from '@flotilla/api';
import { silentLogger } from '@flotilla/base';
import { systemClock } from '@flotilla/host';
import test, { type ExecutionContext } from 'ava';
import { Client, Informer, natsTransport } from './index.js';
import { configMap, FakeApi, fleet, until } from './testing/fake-api.js';

async function setUp(t: ExecutionContext) {
  const f = await fleet(t);
  const api = new FakeApi();
  const server = await f.connect('apiserver');
  const serving = api.serve(server);
  await server.flush();
  const client = new Client(natsTransport(await f.connect('node-1'), 'node-1'), { logger: silentLogger });
  const informer = new Informer<core.ConfigMap>(client, configMaps, { logger: silentLogger, clock: systemClock });
  t.teardown(() => informer.stop());
  const changes: string[] = [];
  informer.onChange((key, now, before) => {
    changes.push(`${now ? (before ? '~' : '+') : '-'}${key}`);
  });
  const expectSame = (): Promise<void> =>
    until(() => {
      const cached = informer.list().map((o) => `${o.metadata.name} ${o.metadata.resourceVersion}`);
      const real = [...api.objects.values()].map((o) => `${o.metadata.name} ${o.metadata.resourceVersion}`);
      return cached.toSorted().join() === real.toSorted().join();
    });
  return { ...f, api, server, serving, client, informer, changes, expectSame };
}

test('lists, watches, tells differences, and finds by index', async (t) => {
  const { api, informer, changes, expectSame } = await setUp(t);
  api.put(configMap('a', { app: 'x' }));
  informer.addIndex('app', (o) => (o.data?.app ? [o.data.app] : []));
  informer.start();
  t.false(informer.synced);
  await informer.whenSynced();
  t.is(informer.get('default/a')?.kind, 'ConfigMap', 'filled in, as lists leave it out');
  api.put(configMap('b', { app: 'y' }));
  api.put(configMap('a', { app: 'y' }));
  api.remove('b');
  api.put(configMap('c', { app: 'x' }));
  await expectSame();
  t.deepEqual(changes, ['+default/a', '+default/b', '~default/a', '-default/b', '+default/c']);
  t.deepEqual(
    informer.byIndex('app', 'y').map((o) => o.metadata.name),
    ['a'],
  );
  t.deepEqual(
    informer.byIndex('app', 'x').map((o) => o.metadata.name),
    ['c'],
  );
  t.deepEqual(informer.byIndex('app', 'z'), []);
  const late: string[] = [];
  informer.onChange((key) => void late.push(key))();
  t.deepEqual(late, ['default/a', 'default/c']);
  t.deepEqual(api.asked, { list: 1, watch: 1 });
});

test('resumes a broken watch where it was, without listing', async (t) => {
  const { api, nats, informer, changes, expectSame } = await setUp(t);
  api.put(configMap('a'));
  informer.start();
  await informer.whenSynced();
  await until(() => api.asked.watch === 1);
  await nats.kill();
  api.put(configMap('b'));
  api.remove('a');
  await nats.start();
  const started = performance.now();
  await expectSame();
  t.log(`${Math.round(performance.now() - started)} ms after NATS was back`);
  t.deepEqual(changes, ['+default/a', '+default/b', '-default/a']);
  t.is(api.asked.list, 1);
});

test('lists again when the server has forgotten, and tells what it missed', async (t) => {
  const { api, connect, server, informer, changes, expectSame } = await setUp(t);
  for (const name of ['a', 'b', 'c']) api.put(configMap(name));
  informer.start();
  await informer.whenSynced();
  await until(() => api.asked.watch === 1);
  changes.length = 0;
  await server.close();
  api.remove('a');
  api.put(configMap('b', { now: 'changed' }));
  api.put(configMap('d'));
  api.forget();
  const started = performance.now();
  const again = await connect('apiserver');
  api.serve(again);
  await expectSame();
  t.log(`${Math.round(performance.now() - started)} ms after the API server was back`);
  t.deepEqual(changes, ['-default/a', '~default/b', '+default/d']);
  t.is(api.asked.list, 2);
});

test('starts before the server is there', async (t) => {
  const { api, serving, connect, informer } = await setUp(t);
  await serving.stop();
  informer.start();
  const again = await connect('apiserver');
  api.put(configMap('a'));
  api.serve(again);
  await informer.whenSynced();
  t.is(informer.list().length, 1);
});

test('a listener that throws harms nobody; stop ends it', async (t) => {
  const { api, informer, expectSame } = await setUp(t);
  informer.onChange(() => {
    throw new Error('bad listener');
  });
  informer.start();
  await informer.whenSynced();
  api.put(configMap('a'));
  await expectSame();
  await informer.stop();
  api.put(configMap('b'));
  t.is(informer.list().length, 1);
  const never = new Informer(
    new Client({ request: never_, stream: never_, close: never_ }, { logger: silentLogger }),
    configMaps,
    {
      logger: silentLogger,
      clock: systemClock,
    },
  );
  const synced = t.throwsAsync(never.whenSynced());
  await never.stop();
  await synced;
});

const never_ = (): Promise<never> => new Promise(() => undefined);
