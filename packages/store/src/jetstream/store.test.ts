import { describeError, silentLogger } from '@flotilla/base';
import { systemClock } from '@flotilla/host';
import { type NatsFixtureOptions, startNats } from '@flotilla/testkit';
import test, { type ExecutionContext } from 'ava';
import { connect, type NatsConnection } from 'nats';
import {
  JetStreamStore,
  type JetStreamStoreOptions,
  LogDiverged,
  NotWriter,
  ObjectTooLarge,
  StoreUnavailable,
  type StoreEvent,
  storeKey,
  storePrefix,
} from '../index.js';
import { type Thing, thing, thingCodec } from '../testing/thing.js';

const pods = storePrefix({ group: '', resource: 'pods' });
const pod = (name: string): string => storeKey({ group: '', resource: 'pods', namespace: 'default', name });
type Options = Partial<JetStreamStoreOptions>;

async function setUp(t: ExecutionContext, options: NatsFixtureOptions = {}) {
  const nats = await startNats(options);
  const join = async (user: string): Promise<NatsConnection> => {
    const { servers, user: name, password } = nats.access(user);
    const credentials = options.users ? { user: name, pass: password } : {};
    const nc = await connect({
      servers,
      ...credentials,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 30,
      noEcho: true,
    });
    t.teardown(() => nc.close());
    return nc;
  };
  t.teardown(() => nats.close());
  return {
    nats,
    join,
    async open(identity: string, more: Options = {}) {
      const nc = more.nc ?? (await join(identity));
      const options = { nc, identity, clock: systemClock, logger: silentLogger, probeEveryMs: 50, ...more };
      const store = await JetStreamStore.open(thingCodec, options);
      t.teardown(() => store.close());
      return store;
    },
  };
}

/** Counts a key up by one with compare and set, until it is done for certain. Returns how often the outcome was unknown. */
async function increment(store: JetStreamStore<Thing>, key: string): Promise<'done' | 'unknown'> {
  for (;;) {
    const now = store.get(key);
    try {
      const value = thing(key, (now?.value.size ?? 0) + 1);
      const result = await store.write({ key, value, expect: now?.revision ?? 0 });
      if ('revision' in result) return 'done';
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      if (error.outcome === 'unknown') return 'unknown';
    }
  }
}

async function readAll(store: JetStreamStore<Thing>, from: number): Promise<StoreEvent<Thing>[]> {
  const cursor = store.watch(pods, from);
  if (typeof cursor === 'string') throw new Error(cursor);
  const events: StoreEvent<Thing>[] = [];
  while (cursor.revision < store.revision()) {
    const batch = await cursor.next();
    if (batch === 'expired') throw new Error(batch);
    events.push(...batch);
  }
  return events;
}

const dump = (store: JetStreamStore<Thing>): unknown => store.list(pods).entries;

test('NATS is killed again and again under load: nothing acknowledged is lost, nothing happens twice', async (t) => {
  const { nats, open } = await setUp(t);
  const store = await open('one', { maxEvents: 1_000_000 });
  const start = store.revision();
  const keys = Array.from({ length: 20 }, (_, i) => pod(`p${i}`));
  const counts = new Map<string, { done: number; unknown: number }>();
  let going = true;
  const workers = keys.map(async (key) => {
    const count = { done: 0, unknown: 0 };
    counts.set(key, count);
    while (going) count[await increment(store, key)]++;
  });
  for (let round = 0; round < 4; round++) {
    const before = store.revision();
    await store.waitFor(before + 1500);
    await nats.kill();
    await nats.start();
    const back = performance.now();
    await store.waitFor(store.revision() + 1);
    t.log(
      `round ${round}: ${store.revision() - before} writes, ${Math.round(performance.now() - back)} ms until the next one`,
    );
  }
  going = false;
  await Promise.all(workers);
  for (const [key, { done, unknown }] of counts) {
    const size = store.get(key)?.value.size ?? 0;
    t.true(size >= done && size <= done + unknown, `${key}: ${size}, ${done} acknowledged, ${unknown} unknown`);
    t.is(unknown, 0, 'the outcome is always found out');
  }
  const events = await readAll(store, start);
  const model = new Map<string, number>();
  for (const [i, event] of events.entries()) {
    t.true(i === 0 || event.revision > events[i - 1]!.revision);
    t.is(event.value.size, (model.get(event.key) ?? 0) + 1);
    model.set(event.key, event.value.size);
  }
  const state = dump(store);
  await store.close();
  const again = await open('two');
  t.deepEqual(dump(again), state, 'a replay of the log gives the same state');
  t.is(again.role, 'writer');
});

test('a writer that does not know it is deposed cannot write', async (t) => {
  // As if it were cut off: nobody gets to hear that it writes, nor does it hear the new one's claim.
  const { open } = await setUp(t, { users: [{ user: 'old', subscribe: ['_INBOX.>'] }, { user: 'new' }] });
  const old = await open('old');
  t.is(old.role, 'writer');
  let going = true;
  const acknowledged = new Map<string, number>();
  const failures: unknown[] = [];
  const workers = Array.from({ length: 40 }, async (_, i) => {
    for (let n = 1; going; n++) {
      try {
        const result = await old.write({ key: pod(`p${i}`), value: thing('old', n) });
        if ('revision' in result) acknowledged.set(pod(`p${i}`), result.revision);
      } catch (error) {
        return void failures.push(error);
      }
    }
  });
  await old.waitFor(old.revision() + 500);
  const fresh = await open('new');
  t.is(fresh.role, 'writer');
  const claimed = fresh.revision();
  // Writes of the new one, to the keys that the old one may still be writing to.
  for (let i = 0; i < 40; i++) {
    const now = fresh.get(pod(`p${i}`));
    const result = await fresh.write({ key: pod(`p${i}`), value: thing('new', i), expect: now?.revision ?? 0 });
    t.true('revision' in result);
  }
  t.true((await old.deposed) instanceof NotWriter);
  going = false;
  await Promise.all(workers);
  t.is(failures.length, 40);
  // Unknown is an honest answer where the new writer has overwritten what would tell.
  for (const error of failures) {
    t.true(error instanceof NotWriter || error instanceof StoreUnavailable, describeError(error));
  }
  for (const [key, revision] of acknowledged)
    t.true(revision < claimed, `${key} at ${revision}, claimed at ${claimed}`);
  t.is(old.role, 'deposed');
  await t.throwsAsync(old.write({ key: pod('x'), value: thing('x') }), { instanceOf: NotWriter });
  for (const { value } of fresh.list(pods).entries) t.is(value.name, 'new');
  const state = dump(fresh);
  await fresh.close();
  const third = await open('new');
  t.deepEqual(dump(third), state, 'what the new writer believes is what the log holds');
  await third.close();
});

test('a writer that hears a claim while it is writing defends itself', async (t) => {
  const { open } = await setUp(t, { users: [{ user: 'old', subscribe: ['_INBOX.>', 'state.>'] }, { user: 'new' }] });
  const old = await open('old');
  let going = true;
  const workers = Array.from({ length: 40 }, async (_, i) => {
    for (let n = 1; going; n++) await old.write({ key: pod(`p${i}`), value: thing('old', n) });
  });
  await old.waitFor(old.revision() + 500);
  const fresh = await open('new');
  const [winner, loser] = fresh.role === 'writer' ? [fresh, old] : [old, fresh];
  going = false;
  await Promise.allSettled(workers);
  t.is(winner.role, 'writer');
  t.not(loser.role, 'writer');
  t.true('revision' in (await winner.write({ key: pod('x'), value: thing('x') })));
});

test('an idle writer learns that it is deposed', async (t) => {
  const { open } = await setUp(t, { users: [{ user: 'old', subscribe: ['_INBOX.>', 'state.>'] }, { user: 'new' }] });
  const old = await open('old');
  const fresh = await open('new');
  t.is(fresh.role, 'writer');
  t.true((await old.deposed) instanceof NotWriter);
});

test('a follower reads along, refuses writes, and takes over when the writer ends', async (t) => {
  const { open, join } = await setUp(t);
  const first = await join('first');
  const writer = await open('first', { nc: first });
  for (const name of ['a', 'b', 'c']) await writer.write({ key: pod(name), value: thing(name) });
  const follower = await open('second');
  t.is(follower.role, 'follower');
  t.deepEqual(dump(follower), dump(writer));
  const from = follower.revision();
  await writer.write({ key: pod('a'), value: thing('a', 2) });
  await writer.write({ key: pod('b'), value: undefined });
  await follower.waitFor(writer.revision());
  t.deepEqual(dump(follower), dump(writer));
  t.deepEqual(
    (await readAll(follower, from)).map((e) => `${e.type} ${e.value.name} ${e.previous?.size}`),
    ['MODIFIED a 0', 'DELETED b 0'],
  );
  const refused = await t.throwsAsync(follower.write({ key: pod('x'), value: thing('x') }), { instanceOf: NotWriter });
  t.is(refused?.writer, 'first');

  // As when its process is killed.
  const started = performance.now();
  await first.close();
  await follower.whenWriter();
  t.log(`took over after ${Math.round(performance.now() - started)} ms`);
  t.true('revision' in (await follower.write({ key: pod('x'), value: thing('x') })));

  const third = await open('third');
  t.is(third.role, 'follower');
  await follower.close();
  await third.whenWriter();
  t.is(third.get(pod('x'))?.value.name, 'x');
});

test('a follower that slept through a deletion and a new creation tells both', async (t) => {
  const { open, join } = await setUp(t);
  const writer = await open('writer');
  await writer.write({ key: pod('a'), value: thing('a', 1) });
  const sleepy = await join('sleepy');
  const follower = await open('follower', { nc: sleepy });
  const from = follower.revision();
  await sleepy.reconnect();
  await writer.write({ key: pod('a'), value: undefined });
  await writer.write({ key: pod('a'), value: thing('a', 2) });
  await follower.waitFor(writer.revision());
  t.deepEqual(
    (await readAll(follower, from)).map((e) => `${e.type} ${e.value.size}`),
    ['DELETED 1', 'ADDED 2'],
  );
  t.deepEqual(dump(follower), dump(writer));
});

test('followers survive NATS being killed, and do not take over from a writer that is coming back', async (t) => {
  const { nats, open } = await setUp(t);
  const writer = await open('writer');
  const follower = await open('follower');
  await writer.write({ key: pod('a'), value: thing('a') });
  await nats.kill();
  const pending = writer.write({ key: pod('b'), value: thing('b') });
  await nats.start();
  t.true('revision' in (await pending));
  await follower.waitFor(writer.revision());
  t.deepEqual(dump(follower), dump(writer));
  t.is(writer.role, 'writer');
  t.is(follower.role, 'follower');
});

test('a NATS that hangs: writes fail in time, with an honest outcome, and all is well afterwards', async (t) => {
  const { nats, open } = await setUp(t);
  const store = await open('one', { replyTimeoutMs: 200, writeTimeoutMs: 500, pipeline: 2 });
  await store.write({ key: pod('a'), value: thing('a', 1) });
  await nats.pause();
  const outcomes = await Promise.all(
    ['a', 'b', 'c', 'd', 'a'].map((name, i) =>
      store.write({ key: pod(name), value: thing(name, 10 + i) }).then(
        () => 'done',
        (error: unknown) => (error instanceof StoreUnavailable ? error.outcome : describeError(error)),
      ),
    ),
  );
  t.deepEqual(outcomes, ['unknown', 'unknown', 'not-applied', 'not-applied', 'not-applied']);
  t.is(store.get(pod('a'))?.value.size, 1, 'reads go on');
  nats.resume();
  for (let i = 0; ; i++) {
    const key = pod('a');
    const now = store.get(key);
    const result = await store
      .write({ key, value: thing('a', 100), expect: now?.revision ?? 0 })
      .catch(() => undefined);
    if (result && 'revision' in result) break;
  }
  t.is(store.get(pod('c')), undefined);
  t.is(store.get(pod('d')), undefined);
  const state = dump(store);
  await store.close();
  t.deepEqual(dump(await open('two')), state);
});

test('an object that is too large is refused by name', async (t) => {
  const { open } = await setUp(t, { maxPayload: 128 * 1024 });
  const store = await open('one', { maxObjectBytes: 10_000 });
  const big = (size: number) => store.write({ key: pod('a'), value: thing('x'.repeat(size)) });
  await t.throwsAsync(big(10_000), { instanceOf: ObjectTooLarge });
  t.true('revision' in (await big(9_000)));
  await store.close();
  const other = await open('two');
  const error = await t.throwsAsync<ObjectTooLarge>(other.write({ key: pod('b'), value: thing('x'.repeat(140_000)) }), {
    instanceOf: ObjectTooLarge,
  });
  t.true(error.limit < 128 * 1024);
});

test('a log that was lost or replaced is not written to', async (t) => {
  const { open, join } = await setUp(t);
  const store = await open('one');
  for (let i = 0; i < 10; i++) await store.write({ key: pod('a'), value: thing('a', i) });
  const manager = await (await join('admin')).jetstreamManager();
  await manager.streams.delete('STATE');
  const failing = t.throwsAsync(store.write({ key: pod('b'), value: thing('b') }));
  t.true((await store.deposed) instanceof LogDiverged);
  await failing;
});

test('a stream of the same name that is something else is refused', async (t) => {
  const { open, join } = await setUp(t);
  const manager = await (await join('admin')).jetstreamManager();
  await manager.streams.add({ name: 'STATE', subjects: ['other'] });
  await t.throwsAsync(open('one'), { instanceOf: LogDiverged });
});

test('old deletions leave the log; the state does not change', async (t) => {
  const { open, join } = await setUp(t);
  const store = await open('one', { tombstoneAgeMs: 100 });
  for (let i = 0; i < 10; i++) await store.write({ key: pod(`p${i}`), value: thing('p', i) });
  for (let i = 1; i < 10; i++) await store.write({ key: pod(`p${i}`), value: undefined });
  const manager = await (await join('admin')).jetstreamManager();
  const messages = async (): Promise<number> => (await manager.streams.info('STATE')).state.messages;
  // The claim, p0, and the last tombstone, which marks the end of the log.
  while ((await messages()) > 3) await new Promise((resolve) => setTimeout(resolve, 20));
  const state = dump(store);
  const revision = store.revision();
  await store.close();
  const again = await open('two');
  t.deepEqual(dump(again), state);
  t.is(again.revision(), revision + 1);
});

async function measure(open: (id: string, o?: Options) => Promise<JetStreamStore<Thing>>) {
  const store = await open('one');
  const body = 'x'.repeat(1300);
  const count = 10_000;
  const started = performance.now();
  const writer = async (worker: number): Promise<void> => {
    for (let i = worker; i < count; i += 64) await store.write({ key: pod(`p${i}`), value: thing(body, i), expect: 0 });
  };
  await Promise.all(Array.from({ length: 64 }, (_, worker) => writer(worker)));
  const wrote = performance.now() - started;
  const one = performance.now();
  for (let i = 0; i < 500; i++) await store.write({ key: pod('p0'), value: thing(body, i) });
  const alone = performance.now() - one;
  await store.close();
  const boot = performance.now();
  await open('two');
  return {
    'writes/s, 64 at once': Math.round((count / wrote) * 1000),
    'writes/s, one by one': Math.round((500 / alone) * 1000),
    'replay, messages/s': Math.round((count / (performance.now() - boot)) * 1000),
  };
}

test('speed, for the record', async (t) => {
  const { open } = await setUp(t);
  t.log(JSON.stringify(await measure(open)));
  t.pass();
});
