import { silentLogger } from '@flotilla/base';
import { systemClock } from '@flotilla/host';
import { startNats } from '@flotilla/testkit';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { connect } from 'nats';
import {
  JetStreamStore,
  MemoryStore,
  type Store,
  StoreClosed,
  type StoreEvent,
  storeKey,
  storePrefix,
  type WatchCursor,
} from './index.js';
import { type Thing, thing, thingCodec } from './testing/thing.js';

// One suite for every adapter.

type Open = (t: ExecutionContext, window?: { maxEvents?: number; maxBytes?: number }) => Promise<Store<Thing>>;

const memory: Open = (_t, window) => Promise.resolve(new MemoryStore(thingCodec, window));

const jetStream: Open = async (t, window) => {
  const nats = await startNats();
  const nc = await connect({ servers: nats.url });
  t.teardown(async () => {
    await nc.close();
    await nats.close();
  });
  const store = await JetStreamStore.open(thingCodec, {
    nc,
    identity: 'test',
    clock: systemClock,
    logger: silentLogger,
    ...window,
  });
  t.teardown(() => store.close());
  await store.whenWriter();
  return store;
};

const pods = storePrefix({ group: '', resource: 'pods' });
const pod = (name: string, namespace = 'default'): string => storeKey({ group: '', resource: 'pods', namespace, name });

function behaves(title: string, body: (t: ExecutionContext, open: Open) => Promise<void>): void {
  test(`memory: ${title}`, (t) => body(t, memory));
  test(`JetStream: ${title}`, (t) => body(t, jetStream));
}

/** The next batch of events; a watch that has expired fails the test. */
async function next(cursor: WatchCursor<Thing>): Promise<readonly StoreEvent<Thing>[]> {
  const batch = await cursor.next();
  if (batch === 'expired') throw new Error('the watch has expired');
  return batch;
}

const put = async (store: Store<Thing>, key: string, value: Thing | undefined, expect?: number): Promise<number> => {
  const result = await store.write({ key, value, ...(expect === undefined ? {} : { expect }) });
  return 'revision' in result ? result.revision : Promise.reject(new Error(`conflict ${result.conflict}`));
};

behaves('create, read, update, delete; a conflict tells the revision', async (t, open) => {
  const store = await open(t);
  const start = store.revision();
  t.true(start >= 1, 'revision 0 means "any" to Kubernetes');
  t.is(store.get(pod('a')), undefined);
  const r1 = await put(store, pod('a'), thing('a', 1), 0);
  t.true(r1 > start);
  t.deepEqual(store.get(pod('a')), { key: pod('a'), value: { name: 'a', size: 1, revision: r1 }, revision: r1 });
  t.deepEqual(await store.write({ key: pod('a'), value: thing('a', 2), expect: 0 }), { conflict: r1 });
  t.deepEqual(await store.write({ key: pod('b'), value: thing('b', 2), expect: r1 }), { conflict: 0 });
  t.deepEqual(await store.write({ key: pod('b'), value: undefined }), { conflict: 0 });
  const r2 = await put(store, pod('a'), thing('a', 2), r1);
  t.is(store.get(pod('a'))?.value.size, 2);
  t.deepEqual(await store.write({ key: pod('a'), value: undefined, expect: r1 }), { conflict: r2 });
  const gone = await store.write({ key: pod('a'), value: undefined, expect: r2 });
  t.deepEqual(gone, { revision: r2 + 1, value: { name: 'a', size: 2, revision: r2 + 1 } });
  t.is(store.get(pod('a')), undefined);
  t.is(store.revision(), r2 + 1);
});

behaves('writes to one key made at once do not overtake each other', async (t, open) => {
  const store = await open(t);
  const created = await Promise.all(
    Array.from({ length: 20 }, (_, i) => store.write({ key: pod('x'), value: thing('x', i), expect: 0 })),
  );
  t.is(created.filter((r) => 'revision' in r).length, 1);
  const first = created.find((r) => 'revision' in r);
  t.true(
    first !== undefined && created.every((r) => r === first || ('conflict' in r && r.conflict === first.revision)),
  );
  await Promise.all(Array.from({ length: 100 }, (_, i) => put(store, pod(`p${i}`), thing('p', i))));
  t.is(store.list(pods).entries.length, 101);
});

behaves('names with dots, colons and other signs are keys like any other', async (t, open) => {
  const store = await open(t);
  const names = ['a.b', 'a%2Eb', 'system:node:x', '*', '>', 'a b', 'ü', '.', '..', '%', 'a.b.'];
  for (const name of names) await put(store, pod(name), thing(name), 0);
  for (const name of names) t.is(store.get(pod(name))?.value.name, name);
  t.is(store.list(pods).entries.length, names.length);
  await t.throwsAsync(store.write({ key: '/core/pods/x', value: thing('x') }), { name: 'InvalidKey' });
  await t.throwsAsync(store.write({ key: '/core/pods/x/a/b', value: thing('x') }), { name: 'InvalidKey' });
});

behaves('lists are in key order, by prefix, and pages of the past agree', async (t, open) => {
  const store = await open(t);
  for (const name of ['c', 'a', 'b']) await put(store, pod(name), thing(name));
  await put(store, pod('a', 'other'), thing('other'));
  const names = (prefix: string) => store.list(prefix).entries.map((e) => e.key);
  t.deepEqual(names(pods), [pod('a'), pod('b'), pod('c'), pod('a', 'other')]);
  t.deepEqual(names(storePrefix({ group: '', resource: 'pods', namespace: 'other' })), [pod('a', 'other')]);
  const then = store.list(pods);
  await put(store, pod('a'), thing('a', 9));
  await put(store, pod('b'), undefined);
  await put(store, pod('d'), thing('d'));
  await put(store, pod('d'), undefined);
  t.deepEqual(store.listAt(pods, then.revision), then.entries);
  t.is(store.listAt(pods, store.revision() + 1), 'future');
});

behaves('a watch sees every later event once, in order, with what was before', async (t, open) => {
  const store = await open(t);
  const r0 = await put(store, pod('old'), thing('old'));
  const cursor = store.watch(pods, r0);
  if (typeof cursor === 'string') return t.fail(cursor);
  const waiting = next(cursor);
  const r1 = await put(store, pod('a'), thing('a', 1));
  const seen = [...(await waiting)];
  const r2 = await put(store, pod('a'), thing('a', 2));
  await put(store, storeKey({ group: 'apps', resource: 'deployments', namespace: 'default', name: 'd' }), thing('d'));
  const r3 = await put(store, pod('a'), undefined);
  t.is(cursor.revision, r2 - 1);
  seen.push(...(await next(cursor)));
  t.is(cursor.revision, store.revision());
  const a = (size: number, revision: number): Thing => ({ name: 'a', size, revision });
  t.like(seen[0], { type: 'ADDED', key: pod('a'), value: a(1, r1), revision: r1 });
  t.like(seen[1], { type: 'MODIFIED', value: a(2, r2), previous: a(1, r1), revision: r2 });
  t.like(seen[2], { type: 'DELETED', value: a(2, r3), previous: a(2, r2), revision: r3 });
  t.is(seen.length, 3);
  const abort = new AbortController();
  const aborted = cursor.next(abort.signal);
  abort.abort(new Error('enough'));
  await t.throwsAsync(aborted, { message: 'enough' });
});

behaves('a watch that falls out of the window is told; other resources are not affected', async (t, open) => {
  const store = await open(t, { maxEvents: 5 });
  const secrets = storePrefix({ group: '', resource: 'secrets' });
  const start = store.revision();
  const slow = store.watch(pods, start);
  const quiet = store.watch(secrets, start);
  if (typeof slow === 'string' || typeof quiet === 'string') return t.fail();
  for (let i = 0; i < 8; i++) await put(store, pod('a'), thing('a', i));
  t.is(await slow.next(), 'expired');
  t.is(store.watch(pods, start), 'expired');
  t.is(store.listAt(pods, start), 'expired');
  t.not(store.watch(secrets, start), 'expired');
  t.is(quiet.revision, store.revision());
  t.is(store.watch(pods, store.revision() + 1), 'future');
  await put(store, storeKey({ group: '', resource: 'secrets', namespace: 'x', name: 's' }), thing('s'));
  t.is((await quiet.next()).length, 1);
});

behaves('the window is bounded by bytes too', async (t, open) => {
  const store = await open(t, { maxBytes: 3000 });
  const start = store.revision();
  for (let i = 0; i < 8; i++) await put(store, pod('a'), thing('a'.repeat(1000), i));
  t.is(store.watch(pods, start), 'expired');
  t.not(store.watch(pods, store.revision() - 1), 'expired');
});

behaves('waitFor, and close ends all waits', async (t, open) => {
  const store = await open(t);
  const target = store.revision() + 2;
  let reached = false;
  const waiting = store.waitFor(target).then(() => (reached = true));
  await put(store, pod('a'), thing('a'));
  t.false(reached);
  await put(store, pod('b'), thing('b'));
  await waiting;
  await t.throwsAsync(store.waitFor(target + 9, AbortSignal.abort(new Error('enough'))), { message: 'enough' });
  const cursor = store.watch(pods, store.revision());
  if (typeof cursor === 'string') return t.fail(cursor);
  const endings = [cursor.next(), store.waitFor(target + 9)].map((p) => t.throwsAsync(p, { instanceOf: StoreClosed }));
  await store.close();
  await Promise.all(endings);
  await t.throwsAsync(store.write({ key: pod('a'), value: thing('a') }), { instanceOf: StoreClosed });
});

/** Applies events to a model, failing on anything that a cache built from them could not cope with. */
function follow(t: ExecutionContext, model: Map<string, Thing>, events: readonly StoreEvent<Thing>[]): void {
  for (const event of events) {
    const before = model.get(event.key);
    t.deepEqual(event.previous, before, 'previous is what the watcher had');
    t.is(event.type === 'ADDED', before === undefined);
    if (event.type === 'DELETED') model.delete(event.key);
    else model.set(event.key, event.value);
  }
}

const byKey = (model: Map<string, Thing>): [string, Thing][] => [...model].sort(([a], [b]) => (a < b ? -1 : 1));

const step = fc.record({
  kind: fc.constantFrom('put', 'put', 'put', 'delete', 'read', 'watch', 'page'),
  name: fc.constantFrom('a', 'b', 'c.d', 'e'),
  size: fc.nat(99),
});

behaves('random writes: any watch from any list ends at the same state, without gap or duplicate', async (t, open) => {
  const store = await open(t, { maxEvents: 50 });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 60 }), async (steps) => {
      const watchers: { cursor: ReturnType<typeof store.watch>; model: Map<string, Thing>; last: number }[] = [];
      const pages: { revision: number; entries: readonly unknown[] }[] = [];
      const read = async (w: (typeof watchers)[number]): Promise<void> => {
        while (typeof w.cursor !== 'string' && w.last < store.revision()) {
          if (w.cursor.revision === store.revision()) break;
          const events = await w.cursor.next();
          if (events === 'expired') return void (w.cursor = 'expired');
          t.true(events.every((e, i) => e.revision > (i === 0 ? w.last : events[i - 1]!.revision)));
          w.last = events[events.length - 1]!.revision;
          follow(t, w.model, events);
        }
      };
      for (const s of steps) {
        if (s.kind === 'put') await store.write({ key: pod(s.name), value: thing(s.name, s.size) });
        else if (s.kind === 'delete') await store.write({ key: pod(s.name), value: undefined });
        else if (s.kind === 'page') pages.push(store.list(pods));
        else if (s.kind === 'read') for (const w of watchers) await read(w);
        else {
          const { revision, entries } = store.list(pods);
          const model = new Map(entries.map((e) => [e.key, e.value]));
          watchers.push({ cursor: store.watch(pods, revision), model, last: revision });
        }
      }
      const now = new Map(store.list(pods).entries.map((e) => [e.key, e.value]));
      for (const w of watchers) {
        await read(w);
        if (w.cursor !== 'expired') t.deepEqual(byKey(w.model), byKey(now));
      }
      for (const page of pages) {
        const again = store.listAt(pods, page.revision);
        if (again !== 'expired') t.deepEqual(again, [...page.entries] as typeof again);
      }
    }),
    { numRuns: 40 },
  );
});
