import test from 'ava';
import { at, pathOf, TestApi } from '../testing/api.js';

const path = pathOf('configmaps');
const make = (api: TestApi, name: string, labels: Record<string, string> = {}) =>
  api.create('configmaps', { metadata: { name, labels } });
const relabel = (api: TestApi, name: string, x: string | null) =>
  api.call('PATCH', `${path}/${name}`, { body: { metadata: { labels: { x } } } });

test('without a revision a watch starts with what is there', async (t) => {
  const api = await TestApi.ready();
  await make(api, 'a');
  const watch = await api.watch(path);
  t.deepEqual(await watch.short(1), ['ADDED a']);
  await make(api, 'b');
  await relabel(api, 'a', '1');
  await api.call('DELETE', `${path}/b`);
  t.deepEqual(await watch.short(3), ['ADDED b', 'MODIFIED a', 'DELETED b']);
  await watch.leave();
});

test('a list’s revision is a valid start: nothing is missed, nothing comes twice', async (t) => {
  const api = await TestApi.ready();
  await make(api, 'a');
  const { json } = await api.call('GET', path);
  await make(api, 'b');
  const watch = await api.watch(path, { resourceVersion: String(at(json, 'metadata.resourceVersion')) });
  await make(api, 'c');
  t.deepEqual(await watch.short(2), ['ADDED b', 'ADDED c']);
  await watch.leave();
});

test('DELETED carries the final object and the deletion’s revision', async (t) => {
  const api = await TestApi.ready();
  await api.create('configmaps', { metadata: { name: 'a' }, data: { last: 'words' } });
  const watch = await api.watch(path, { resourceVersion: String(api.store.revision()) });
  await api.call('DELETE', `${path}/a`);
  const event = await watch.next();
  t.is(event?.type, 'DELETED');
  t.is(at(event, 'object.data.last'), 'words');
  t.is(event?.object.metadata.resourceVersion, String(api.store.revision()));
  await watch.leave();
});

test('coming into a selection adds, leaving it deletes', async (t) => {
  const api = await TestApi.ready();
  await make(api, 'a');
  const watch = await api.watch(path, { labelSelector: 'x=1', resourceVersion: String(api.store.revision()) });
  await relabel(api, 'a', '1');
  await api.call('PATCH', `${path}/a`, { body: { data: { k: 'v' } } });
  await relabel(api, 'a', '2');
  const left = api.store.revision();
  await relabel(api, 'a', '3');
  await relabel(api, 'a', '1');
  t.deepEqual(await watch.short(2), ['ADDED a', 'MODIFIED a']);
  const event = await watch.next();
  t.is(event?.type, 'DELETED');
  t.is(event?.object.metadata.labels?.x, '1');
  t.is(event?.object.metadata.resourceVersion, String(left));
  t.deepEqual(await watch.short(1), ['ADDED a']);
  await watch.leave();
});

test('a revision that is too old: an ERROR event with 410, never a gap', async (t) => {
  const api = await TestApi.ready({ window: { maxEvents: 3 } });
  for (let i = 0; i < 10; i++) await make(api, `c${i}`);
  const watch = await api.watch(path, { resourceVersion: '1' });
  const event = await watch.next();
  t.is(event?.type, 'ERROR');
  t.is(at(event, 'object.code'), 410);
  t.is(at(event, 'object.reason'), 'Expired');
  t.is(await watch.next(), undefined);
});

test('a revision of the future: an ERROR event to try again on', async (t) => {
  const api = await TestApi.ready();
  const watch = await api.watch(path, { resourceVersion: '1000' });
  api.clock.advance(3000);
  const event = await watch.next();
  t.is(event?.type, 'ERROR');
  t.is(at(event, 'object.code'), 504);
});

test('bookmarks tell how far the watch has come, never ahead of its events', async (t) => {
  const api = await TestApi.ready();
  const watch = await api.watch(path, { allowWatchBookmarks: 'true' });
  await make(api, 'a');
  t.deepEqual(await watch.short(1), ['ADDED a']);
  await api.create('secrets', { metadata: { name: 's' } });
  await new Promise(setImmediate);
  api.clock.advance(15_000);
  const event = await watch.next();
  t.is(event?.type, 'BOOKMARK');
  t.is(event?.object.metadata.resourceVersion, String(api.store.revision()));
  t.is(at(event, 'object.kind'), 'ConfigMap');
  await watch.leave();
});

test('watch-list: initial events, then the bookmark that ends them', async (t) => {
  const api = await TestApi.ready();
  await make(api, 'a');
  await make(api, 'b');
  const query = { sendInitialEvents: 'true', resourceVersionMatch: 'NotOlderThan', allowWatchBookmarks: 'true' };
  const watch = await api.watch(path, query);
  t.deepEqual(await watch.short(2), ['ADDED a', 'ADDED b']);
  const event = await watch.next();
  t.is(event?.type, 'BOOKMARK');
  t.is(event?.object.metadata.annotations?.['k8s.io/initial-events-end'], 'true');
  await watch.leave();
  const wrong = await api.call('GET', path, { query: { watch: '1', sendInitialEvents: 'true' } });
  t.is(wrong.status, 422);
});

test('a watch ends in good order when its time is up', async (t) => {
  const api = await TestApi.ready();
  const watch = await api.watch(path, { timeoutSeconds: '5' });
  api.clock.advance(5000);
  t.is(await watch.next(), undefined);
});

test('a watch of one object by name', async (t) => {
  const api = await TestApi.ready();
  await make(api, 'a');
  await make(api, 'b');
  const watch = await api.watch(path, { fieldSelector: 'metadata.name=b' });
  t.deepEqual(await watch.short(1), ['ADDED b']);
  await relabel(api, 'a', '1');
  await relabel(api, 'b', '1');
  t.deepEqual(await watch.short(1), ['MODIFIED b']);
  await watch.leave();
});

test('Tables in a watch name their columns once', async (t) => {
  const api = await TestApi.ready();
  await make(api, 'a');
  await make(api, 'b');
  const watch = await api.watch(path, {}, { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' });
  const [one, two] = [await watch.next(), await watch.next()];
  t.is(at(one, 'object.kind'), 'Table');
  t.is(at(one, 'object.columnDefinitions.0.name'), 'Name');
  t.is(at(two, 'object.columnDefinitions.0'), undefined);
  t.is(at(two, 'object.rows.0.cells.0'), 'b');
  await watch.leave();
});

test('frames are encoded once for all watchers', async (t) => {
  const api = await TestApi.ready();
  await make(api, 'a');
  const frames: Uint8Array[] = [];
  for (let i = 0; i < 2; i++) {
    const leave = new AbortController();
    const response = await api.send('GET', path, { query: { watch: 'true' } }, leave.signal);
    if (typeof response.body !== 'function') return t.fail('a watch streams');
    await response.body(
      {
        write: (frame) => {
          frames.push(frame);
          leave.abort(new Error('enough'));
          return Promise.resolve();
        },
      },
      leave.signal,
    );
  }
  t.is(frames.length, 2);
  t.is(frames[0], frames[1]);
});

test('protobuf frames: a length, then the event', async (t) => {
  const api = await TestApi.ready();
  await make(api, 'a');
  const leave = new AbortController();
  const accept = 'application/vnd.kubernetes.protobuf,application/json';
  const response = await api.send('GET', path, { query: { watch: 'true' }, accept }, leave.signal);
  t.is(response.contentType, 'application/vnd.kubernetes.protobuf;stream=watch');
  if (typeof response.body !== 'function') return t.fail('a watch streams');
  let frame = Buffer.alloc(0);
  await response.body(
    {
      write: (bytes) => {
        frame = Buffer.from(bytes);
        leave.abort(new Error('enough'));
        return Promise.resolve();
      },
    },
    leave.signal,
  );
  t.is(frame.readUInt32BE(0), frame.length - 4);
  // WatchEvent { type = "ADDED" }, and the envelope of the object inside.
  t.deepEqual(frame.subarray(4, 11), Buffer.from([0x0a, 5, ...Buffer.from('ADDED')]));
  t.true(frame.includes('k8s\0'));
});
