import test from 'ava';
import { at, listAt, nodeUser, pathOf, TestApi } from '../testing/api.js';

const pod = (name: string, spec: object = {}, metadata: object = {}): object => ({
  metadata: { name, ...metadata },
  spec: { containers: [{ name: 'c', image: 'i' }], ...spec },
});

test('pods tolerate a lost node for a while: 300 s upstream, a second in the fast profile', async (t) => {
  for (const [profile, seconds] of [
    ['kubernetes', 300],
    ['fast', 1],
  ] as const) {
    const api = await TestApi.ready({ profile });
    const made = await api.create('pods', pod('a'));
    t.deepEqual(
      listAt(made, 'spec.tolerations').map((x) => [at(x, 'key'), at(x, 'tolerationSeconds')]),
      [
        ['node.kubernetes.io/not-ready', seconds],
        ['node.kubernetes.io/unreachable', seconds],
      ],
    );
    const own = await api.create('pods', pod('b', { tolerations: [{ operator: 'Exists' }] }));
    t.is(listAt(own, 'spec.tolerations').length, 1);
  }
});

test('default classes', async (t) => {
  const api = await TestApi.ready();
  const claim = (name: string, more: object = {}): object => ({
    metadata: { name },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...more },
  });
  t.is(at(await api.create('persistentvolumeclaims', claim('none')), 'spec.storageClassName'), undefined);
  await api.create('storageclasses', {
    metadata: { name: 'standard', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
    provisioner: 'x',
  });
  t.is(at(await api.create('persistentvolumeclaims', claim('a')), 'spec.storageClassName'), 'standard');
  t.is(
    at(await api.create('persistentvolumeclaims', claim('b', { storageClassName: '' })), 'spec.storageClassName'),
    '',
  );
});

test('pods of a labelled namespace get a sidecar, defaults and all', async (t) => {
  const api = await TestApi.ready();
  await api.call('PATCH', '/api/v1/namespaces/default', {
    body: { metadata: { labels: { 'istio-injection': 'enabled' } } },
  });
  const made = await api.create('pods', pod('a'));
  t.deepEqual(
    listAt(made, 'spec.initContainers').map((c) => at(c, 'name')),
    ['istio-init', 'istio-proxy'],
  );
  t.is(at(made, 'spec.initContainers.1.readinessProbe.httpGet.scheme'), 'HTTP');
  t.is(at(made, 'spec.initContainers.1.terminationMessagePath'), '/dev/termination-log');
  t.is(at(made, 'status.qosClass'), 'Burstable');
});

test('priority classes', async (t) => {
  const api = await TestApi.ready();
  t.is(
    at(await api.create('pods', pod('a', { priorityClassName: 'system-node-critical' })), 'spec.priority'),
    2000001000,
  );
  const wrong = await api.call('POST', pathOf('pods'), { body: pod('b', { priorityClassName: 'mine' }) });
  t.is(wrong.status, 403);
  t.regex(String(at(wrong.json, 'message')), /no PriorityClass with name mine was found/);
});

test('a node writes about itself and its pods only', async (t) => {
  const api = await TestApi.ready();
  await api.create('namespaces', { metadata: { name: 'kube-node-lease' } });
  const user = nodeUser('n1');
  const as = (method: string, path: string, body?: object) =>
    api.call(method, path, { user, ...(body ? { body } : {}) });
  t.is((await as('POST', '/api/v1/nodes', { metadata: { name: 'n1' } })).status, 201);
  const other = await as('POST', '/api/v1/nodes', { metadata: { name: 'n2' } });
  t.is(other.status, 403);
  t.regex(String(at(other.json, 'message')), /node "n1" is not allowed to modify node "n2"/);
  await api.create('pods', pod('mine', { nodeName: 'n1' }));
  await api.create('pods', pod('theirs', { nodeName: 'n2' }));
  const status = { status: { phase: 'Running' } };
  t.is((await as('PATCH', `${pathOf('pods')}/mine/status`, status)).status, 200);
  const wrong = await as('PATCH', `${pathOf('pods')}/theirs/status`, status);
  t.is(wrong.status, 403);
  t.regex(String(at(wrong.json, 'message')), /can only update pod status for pods with spec.nodeName set to itself/);
  t.is((await as('DELETE', `${pathOf('pods')}/theirs`)).status, 403);
  t.is((await as('DELETE', `${pathOf('pods')}/mine`)).status, 200);
  t.is((await as('PATCH', `${pathOf('pods')}/mine`, { metadata: { labels: { a: 'b' } } })).status, 403);
  const lease = (name: string) => ({
    metadata: { name, namespace: 'kube-node-lease' },
    spec: { holderIdentity: name },
  });
  t.is((await as('POST', pathOf('leases', 'kube-node-lease'), lease('n1'))).status, 201);
  t.is((await as('POST', pathOf('leases', 'kube-node-lease'), lease('n2'))).status, 403);
  t.is((await as('DELETE', '/api/v1/namespaces/default')).status, 403);
});

test('Istio refuses after the schema has, on create and on update', async (t) => {
  const api = await TestApi.ready();
  const service = (spec: object): object => ({ metadata: { name: 'vs' }, spec });
  const route = { route: [{ destination: { host: 'reviews' } }] };
  const post = (spec: object) => api.call('POST', pathOf('virtualservices'), { body: service(spec) });
  const structural = await post({ hosts: 'x', http: [{}] });
  t.is(structural.status, 422);
  t.false(structural.text.includes('admission webhook'));
  const denied = await post({ hosts: ['x'], http: [{}] });
  t.is(denied.status, 400);
  const why = 'configuration is invalid: HTTP route, redirect or direct_response is required';
  t.is(at(denied.json, 'message'), `admission webhook "validation.istio.io" denied the request: ${why}`);
  t.is(at(denied.json, 'reason'), undefined);
  t.is((await post({ hosts: ['x'], http: [route] })).status, 201);
  const patch = { spec: { http: [{}] } };
  t.is((await api.call('PATCH', `${pathOf('virtualservices')}/vs`, { body: patch })).status, 400);
});
