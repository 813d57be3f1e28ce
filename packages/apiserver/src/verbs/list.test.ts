import test from 'ava';
import { at, listAt, pathOf, TestApi } from '../testing/api.js';

const names = (json: unknown): string[] => listAt(json, 'items').map((item) => String(at(item, 'metadata.name')));
const path = pathOf('configmaps');

async function filled(count: number, window = {}): Promise<TestApi> {
  const api = await TestApi.ready({ window });
  for (let i = 0; i < count; i++) {
    await api.create('configmaps', {
      metadata: { name: `c${String(i).padStart(2, '0')}`, labels: { parity: i % 2 ? 'odd' : 'even' } },
    });
  }
  return api;
}

test('a list carries the revision it is of, and items in order', async (t) => {
  const api = await filled(3);
  const { json } = await api.call('GET', path);
  t.deepEqual(names(json), ['c00', 'c01', 'c02']);
  t.is(at(json, 'kind'), 'ConfigMapList');
  t.is(at(json, 'metadata.resourceVersion'), String(api.store.revision()));
});

test('pages of one list are of one snapshot', async (t) => {
  const api = await filled(5);
  const first = await api.call('GET', path, { query: { limit: '2' } });
  t.deepEqual(names(first.json), ['c00', 'c01']);
  t.is(at(first.json, 'metadata.remainingItemCount'), 3);
  await api.call('DELETE', `${path}/c02`);
  await api.create('configmaps', { metadata: { name: 'c09' } });
  const token = String(at(first.json, 'metadata.continue'));
  const second = await api.call('GET', path, { query: { limit: '2', continue: token } });
  t.deepEqual(names(second.json), ['c02', 'c03']);
  t.is(at(second.json, 'metadata.resourceVersion'), at(first.json, 'metadata.resourceVersion'));
  const last = await api.call('GET', path, {
    query: { limit: '2', continue: String(at(second.json, 'metadata.continue')) },
  });
  t.deepEqual(names(last.json), ['c04']);
  t.is(at(last.json, 'metadata.continue'), undefined);
});

test('a snapshot that is gone: 410, with a token to go on from', async (t) => {
  const api = await filled(3, { maxEvents: 4 });
  const first = await api.call('GET', path, { query: { limit: '1' } });
  for (let i = 0; i < 10; i++) await api.call('PATCH', `${path}/c00`, { body: { data: { i: String(i) } } });
  const gone = await api.call('GET', path, {
    query: { limit: '1', continue: String(at(first.json, 'metadata.continue')) },
  });
  t.is(gone.status, 410);
  t.is(at(gone.json, 'reason'), 'Expired');
  const rest = await api.call('GET', path, { query: { continue: String(at(gone.json, 'metadata.continue')) } });
  t.deepEqual(names(rest.json), ['c01', 'c02']);
});

test('resourceVersion: any, at least, exactly, too old, too new', async (t) => {
  const api = await filled(2, { maxEvents: 100 });
  const then = api.store.revision();
  await api.create('configmaps', { metadata: { name: 'c05' } });
  const list = (query: Record<string, string>) => api.call('GET', path, { query });
  t.is(names((await list({ resourceVersion: '0' })).json).length, 3);
  t.is(names((await list({ resourceVersion: String(then) })).json).length, 3);
  const exact = await list({ resourceVersion: String(then), resourceVersionMatch: 'Exact' });
  t.deepEqual(names(exact.json), ['c00', 'c01']);
  t.is(at(exact.json, 'metadata.resourceVersion'), String(then));
  t.is(names((await list({ resourceVersion: String(then), limit: '10' })).json).length, 2);
  t.is((await list({ resourceVersion: 'x' })).status, 422);
  t.is((await list({ resourceVersionMatch: 'Exact' })).status, 422);
  t.is((await list({ resourceVersion: '0', resourceVersionMatch: 'Exact' })).status, 422);
  t.is((await list({ resourceVersion: '1', resourceVersionMatch: 'Never' })).status, 422);
  t.is((await list({ continue: 'x' })).status, 400);
  const future = list({ resourceVersion: String(then + 100) });
  await Promise.resolve();
  api.clock.advance(3000);
  const late = await future;
  t.is(late.status, 504);
  t.regex(String(at(late.json, 'message')), /Too large resource version/);
  t.is(at(late.json, 'details.causes.0.reason'), 'ResourceVersionTooLarge');
  t.is(late.headers['retry-after'], '1');
});

test('a revision that comes in time is waited for', async (t) => {
  const api = await filled(1);
  const waiting = api.call('GET', `${path}/c00`, { query: { resourceVersion: String(api.store.revision() + 1) } });
  await api.create('configmaps', { metadata: { name: 'c05' } });
  t.is((await waiting).status, 200);
});

test('selectors', async (t) => {
  const api = await filled(4);
  const list = async (query: Record<string, string>) => names((await api.call('GET', path, { query })).json);
  t.deepEqual(await list({ labelSelector: 'parity=odd' }), ['c01', 'c03']);
  t.deepEqual(await list({ labelSelector: 'parity in (even),parity!=odd' }), ['c00', 'c02']);
  t.deepEqual(await list({ fieldSelector: 'metadata.name=c02' }), ['c02']);
  t.deepEqual(await list({ fieldSelector: 'metadata.name!=c02', labelSelector: 'parity=even' }), ['c00']);
  t.deepEqual(await list({ fieldSelector: 'metadata.name=nosuch' }), []);
  const wrong = await api.call('GET', path, { query: { fieldSelector: 'data.x=1' } });
  t.is(wrong.status, 400);
  t.is(at(wrong.json, 'message'), '"data.x" is not a known field selector: only "metadata.name", "metadata.namespace"');
});

test('pods are selected by their node', async (t) => {
  const api = await TestApi.ready();
  for (const name of ['a', 'b']) {
    await api.create('pods', {
      metadata: { name },
      spec: { nodeName: `node-${name}`, containers: [{ name: 'c', image: 'i' }] },
    });
  }
  const { json } = await api.call('GET', '/api/v1/pods', { query: { fieldSelector: 'spec.nodeName=node-b' } });
  t.deepEqual(names(json), ['b']);
  t.deepEqual(names((await api.call('GET', '/api/v1/pods', { query: { fieldSelector: 'metadata.name=a' } })).json), [
    'a',
  ]);
});
