import test from 'ava';
import { at, listAt, pathOf, TestApi } from '../testing/api.js';

const pod = (name: string, nodeName?: string, more: object = {}): object => ({
  metadata: { name, ...more },
  spec: { ...(nodeName ? { nodeName } : {}), containers: [{ name: 'c', image: 'i' }] },
});
const path = pathOf('pods');

test('what nothing holds is gone at once', async (t) => {
  const api = await TestApi.ready();
  await api.create('configmaps', { metadata: { name: 'a' } });
  const { status, json } = await api.call('DELETE', `${pathOf('configmaps')}/a`);
  t.is(status, 200);
  t.like(json, { kind: 'Status', status: 'Success', details: { name: 'a', kind: 'configmaps' } });
  t.is((await api.get('configmaps', 'a')).status, 404);
  t.is((await api.call('DELETE', `${pathOf('configmaps')}/a`)).status, 404);
});

test('a running pod gets its grace period; its kubelet ends it', async (t) => {
  const api = await TestApi.ready();
  await api.create('pods', pod('a', 'n1'));
  const { json } = await api.call('DELETE', `${path}/a`);
  t.is(at(json, 'metadata.deletionGracePeriodSeconds'), 30);
  t.is(at(json, 'metadata.deletionTimestamp'), '2026-01-01T00:00:30Z');
  const revision = api.store.revision();
  t.is((await api.call('DELETE', `${path}/a`)).status, 200);
  t.is(api.store.revision(), revision, 'a second request without a wish of its own changes nothing');
  const sooner = await api.call('DELETE', `${path}/a`, { body: { gracePeriodSeconds: 5 } });
  t.is(at(sooner.json, 'metadata.deletionTimestamp'), '2026-01-01T00:00:05Z');
  const later = await api.call('DELETE', `${path}/a`, { body: { gracePeriodSeconds: 60 } });
  t.is(at(later.json, 'metadata.deletionGracePeriodSeconds'), 5);
  await api.call('DELETE', `${path}/a`, { query: { gracePeriodSeconds: '0' } });
  t.is((await api.get('pods', 'a')).status, 404);
});

test('a pod that never ran, or has ended, is gone at once', async (t) => {
  const api = await TestApi.ready();
  await api.create('pods', pod('a'));
  t.is((await api.call('DELETE', `${path}/a`)).status, 200);
  t.is((await api.get('pods', 'a')).status, 404);
  await api.create('pods', pod('b', 'n1'));
  await api.call('PATCH', `${path}/b/status`, { body: { status: { phase: 'Succeeded' } } });
  await api.call('DELETE', `${path}/b`);
  t.is((await api.get('pods', 'b')).status, 404);
});

test('finalizers keep an object until the last is gone', async (t) => {
  const api = await TestApi.ready();
  const file = `${pathOf('configmaps')}/a`;
  await api.create('configmaps', { metadata: { name: 'a', finalizers: ['example.com/x'] } });
  const { json } = await api.call('DELETE', file);
  t.is(at(json, 'metadata.deletionTimestamp'), '2026-01-01T00:00:00Z');
  const late = await api.call('PATCH', file, {
    body: { metadata: { finalizers: ['example.com/x', 'example.com/y'] } },
  });
  t.is(late.status, 422);
  t.regex(String(at(late.json, 'message')), /no new finalizers can be added if the object is being deleted/);
  const watch = await api.watch(pathOf('configmaps'), { resourceVersion: String(api.store.revision()) });
  t.is((await api.call('PATCH', file, { body: { metadata: { finalizers: null } } })).status, 200);
  t.deepEqual(await watch.short(1), ['DELETED a']);
  await watch.leave();
});

test('propagation: foreground and orphan are finalizers of the object', async (t) => {
  const api = await TestApi.ready();
  const file = (name: string): string => `${pathOf('configmaps')}/${name}`;
  for (const name of ['f', 'o', 'b']) await api.create('configmaps', { metadata: { name } });
  const foreground = await api.call('DELETE', file('f'), { body: { propagationPolicy: 'Foreground' } });
  t.deepEqual(at(foreground.json, 'metadata.finalizers'), ['foregroundDeletion']);
  const orphan = await api.call('DELETE', file('o'), { query: { propagationPolicy: 'Orphan' } });
  t.deepEqual(at(orphan.json, 'metadata.finalizers'), ['orphan']);
  const changed = await api.call('DELETE', file('o'), { body: { propagationPolicy: 'Background' } });
  t.is(changed.status, 200);
  t.is((await api.get('configmaps', 'o')).status, 404);
  t.is((await api.call('DELETE', file('b'), { body: { propagationPolicy: 'Sideways' } })).status, 422);
});

test('preconditions', async (t) => {
  const api = await TestApi.ready();
  const made = await api.create('configmaps', { metadata: { name: 'a' } });
  const file = `${pathOf('configmaps')}/a`;
  const uid = await api.call('DELETE', file, { body: { preconditions: { uid: 'other' } } });
  t.is(uid.status, 409);
  t.regex(String(at(uid.json, 'message')), /the UID in the precondition \(other\) does not match the UID in record/);
  const revision = await api.call('DELETE', file, { body: { preconditions: { resourceVersion: '1' } } });
  t.is(revision.status, 409);
  const right = { uid: at(made, 'metadata.uid'), resourceVersion: at(made, 'metadata.resourceVersion') };
  t.is((await api.call('DELETE', file, { body: { preconditions: right } })).status, 200);
});

test('a collection is deleted by selector', async (t) => {
  const api = await TestApi.ready();
  for (const name of ['a', 'b', 'c'])
    await api.create('configmaps', { metadata: { name, labels: { keep: String(name === 'c') } } });
  const { status, json } = await api.call('DELETE', pathOf('configmaps'), { query: { labelSelector: 'keep=false' } });
  t.is(status, 200);
  t.is(listAt(json, 'items').length, 2);
  const left = await api.call('GET', pathOf('configmaps'));
  t.is(listAt(left.json, 'items').length, 1);
});

test('a namespace empties itself before it goes', async (t) => {
  const api = await TestApi.ready();
  const file = '/api/v1/namespaces/demo';
  const made = await api.create('namespaces', { metadata: { name: 'demo' } });
  t.deepEqual(at(made, 'spec.finalizers'), ['kubernetes']);
  t.is(at(made, 'status.phase'), 'Active');
  const { json } = await api.call('DELETE', file);
  t.is(at(json, 'status.phase'), 'Terminating');
  const refused = await api.call('POST', pathOf('configmaps', 'demo'), { body: { metadata: { name: 'x' } } });
  t.is(refused.status, 403);
  t.is(
    at(refused.json, 'message'),
    'configmaps "x" is forbidden: unable to create new content in namespace demo because it is being terminated',
  );
  t.is(at(refused.json, 'details.causes.0.reason'), 'NamespaceTerminating');
  const present = (await api.call('GET', file)).json;
  t.is((await api.call('PUT', `${file}/finalize`, { body: { ...present, spec: { finalizers: [] } } })).status, 200);
  t.is((await api.call('GET', file)).status, 404);
  t.is((await api.call('DELETE', '/api/v1/namespaces/default')).status, 403);
});

test('an eviction is a delete', async (t) => {
  const api = await TestApi.ready();
  await api.create('pods', pod('a', 'n1'));
  const body = {
    apiVersion: 'policy/v1',
    kind: 'Eviction',
    metadata: { name: 'a' },
    deleteOptions: { gracePeriodSeconds: 3 },
  };
  t.is((await api.call('POST', `${path}/a/eviction`, { body })).status, 201);
  t.is(at((await api.get('pods', 'a')).json, 'metadata.deletionGracePeriodSeconds'), 3);
});
