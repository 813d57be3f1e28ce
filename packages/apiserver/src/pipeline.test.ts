import test from 'ava';
import { encodeProtobufObject, namespaces, pods } from '@flotilla/api';
import { admin, at, countAt, listAt, objectAt, pathOf, TestApi } from './testing/api.js';

const configMap = (name: string, data: Record<string, string> = {}): object => ({ metadata: { name }, data });
const pod = (name: string, more: object = {}): object => ({
  metadata: { name },
  spec: { containers: [{ name: 'c', image: 'nginx' }], ...more },
});
const gateway = (name: string): object => ({
  metadata: { name },
  spec: { selector: { istio: 'x' }, servers: [{ port: { number: 80, name: 'http', protocol: 'HTTP' }, hosts: ['*'] }] },
});
const deployment = (name: string): object => ({
  metadata: { name, labels: { app: name } },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'c', image: 'nginx' }] } },
  },
});

test('create gives an object its identity and answers 201', async (t) => {
  const api = await TestApi.ready();
  const { status, json } = await api.call('POST', pathOf('pods'), { body: pod('a') });
  t.is(status, 201);
  t.is(at(json, 'apiVersion'), 'v1');
  t.is(at(json, 'kind'), 'Pod');
  t.like(objectAt(json, 'metadata'), {
    name: 'a',
    namespace: 'default',
    creationTimestamp: '2026-01-01T00:00:00Z',
    generation: 1,
  });
  t.truthy(at(json, 'metadata.uid'));
  t.is(at(json, 'metadata.resourceVersion'), String(api.store.revision()));
  t.like(objectAt(json, 'status'), { phase: 'Pending', qosClass: 'BestEffort' });
  t.is(at(json, 'spec.serviceAccountName'), 'default');
});

test('a status sent with a create request is dropped, but a node keeps its own', async (t) => {
  const api = await TestApi.ready();
  const made = await api.create('deployments', { ...deployment('d'), status: { replicas: 7 } });
  t.deepEqual(at(made, 'status'), {});
  const node = await api.create('nodes', { metadata: { name: 'n' }, status: { capacity: { cpu: '2' } } });
  t.is(at(node, 'status.capacity.cpu'), '2');
});

test('what exists cannot be created again; the message is upstream’s', async (t) => {
  const api = await TestApi.ready();
  await api.create('configmaps', configMap('a'));
  const { status, json } = await api.call('POST', pathOf('configmaps'), { body: configMap('a') });
  t.is(status, 409);
  t.like(json, { kind: 'Status', reason: 'AlreadyExists', message: 'configmaps "a" already exists' });
});

test('a generated name has five characters more, and is generated anew when it is taken', async (t) => {
  const api = await TestApi.ready();
  const one = await api.create('configmaps', { metadata: { generateName: 'x-' } });
  t.regex(String(at(one, 'metadata.name')), /^x-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
  const many = await Promise.all(
    Array.from({ length: 50 }, () => api.create('configmaps', { metadata: { generateName: 'x-' } })),
  );
  t.is(new Set(many.map((o) => String(at(o, 'metadata.name')))).size, 50);
  const { status, json } = await api.call('POST', pathOf('configmaps'), { body: { metadata: {} } });
  t.is(status, 422);
  t.regex(String(at(json, 'message')), /metadata.name: Required value: name or generateName is required/);
});

test('an object must belong where it is sent', async (t) => {
  const api = await TestApi.ready();
  const wrong = await api.call('POST', pathOf('configmaps'), { body: { metadata: { name: 'a', namespace: 'other' } } });
  t.is(wrong.status, 400);
  t.is(
    at(wrong.json, 'message'),
    'the namespace of the provided object does not match the namespace sent on the request',
  );
  const kind = await api.call('POST', pathOf('configmaps'), {
    body: { kind: 'Pod', apiVersion: 'v1', metadata: { name: 'a' } },
  });
  t.is(kind.status, 400);
  const missing = await api.call('POST', pathOf('configmaps', 'nowhere'), { body: configMap('a') });
  t.is(missing.status, 404);
  t.is(at(missing.json, 'message'), 'namespaces "nowhere" not found');
});

test('an update bumps the generation when the spec changes, and only then', async (t) => {
  const api = await TestApi.ready();
  const made = await api.create('deployments', deployment('d'));
  const path = `${pathOf('deployments')}/d`;
  const labelled = await api.call('PATCH', path, { body: { metadata: { labels: { x: 'y' } } } });
  t.is(at(labelled.json, 'metadata.generation'), 1);
  const scaled = await api.call('PUT', path, {
    body: { ...made, metadata: { name: 'd' }, spec: { ...objectAt(made, 'spec'), replicas: 3 } },
  });
  t.is(scaled.status, 200);
  t.is(at(scaled.json, 'metadata.generation'), 2);
  t.is(at(scaled.json, 'metadata.uid'), at(made, 'metadata.uid'));
});

test('an update that changes nothing is not a write', async (t) => {
  const api = await TestApi.ready();
  const made = await api.create('deployments', deployment('d'));
  const revision = api.store.revision();
  const again = await api.call('PUT', `${pathOf('deployments')}/d`, { body: made });
  t.is(again.status, 200);
  t.is(api.store.revision(), revision);
  t.is(at(again.json, 'metadata.resourceVersion'), at(made, 'metadata.resourceVersion'));
});

test('status and spec are written through their own doors', async (t) => {
  const api = await TestApi.ready();
  const made = await api.create('deployments', deployment('d'));
  const path = `${pathOf('deployments')}/d`;
  const status = await api.call('PUT', `${path}/status`, {
    body: { ...made, spec: { ...objectAt(made, 'spec'), replicas: 9 }, status: { observedGeneration: 1, replicas: 2 } },
  });
  t.is(status.status, 200);
  t.is(at(status.json, 'spec.replicas'), 2);
  t.is(at(status.json, 'status.replicas'), 2);
  t.is(at(status.json, 'metadata.generation'), 1);
  const spec = await api.call('PATCH', path, { body: { spec: { replicas: 4 }, status: { replicas: 99 } } });
  t.is(at(spec.json, 'spec.replicas'), 4);
  t.is(at(spec.json, 'status.replicas'), 2);
  t.is(at((await api.call('GET', `${path}/status`)).json, 'status.replicas'), 2);
});

test('a stale resourceVersion, another uid: 409', async (t) => {
  const api = await TestApi.ready();
  const made = await api.create('configmaps', configMap('a'));
  const path = `${pathOf('configmaps')}/a`;
  await api.call('PATCH', path, { body: { data: { x: '1' } } });
  const stale = await api.call('PUT', path, { body: { ...made, data: { x: '2' } } });
  t.is(stale.status, 409);
  t.is(
    at(stale.json, 'message'),
    'Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to the latest version and try again',
  );
  const other = await api.call('PUT', path, { body: { metadata: { name: 'a', uid: 'another' } } });
  t.is(other.status, 409);
  t.regex(
    String(at(other.json, 'message')),
    /Precondition failed: UID in precondition: another, UID in object meta: uid-/,
  );
  const patched = await api.call('PATCH', path, { body: { metadata: { resourceVersion: '1' }, data: { x: '3' } } });
  t.is(patched.status, 409);
});

test('concurrent patches all take effect', async (t) => {
  const api = await TestApi.ready();
  await api.create('configmaps', configMap('a'));
  const path = `${pathOf('configmaps')}/a`;
  const answers = await Promise.all(
    Array.from({ length: 8 }, (_, i) => api.call('PATCH', path, { body: { data: { [`k${i}`]: 'v' } } })),
  );
  t.true(answers.every((a) => a.status === 200));
  t.is(Object.keys(objectAt((await api.get('configmaps', 'a')).json, 'data')).length, 8);
});

test('the three kinds of patches', async (t) => {
  const api = await TestApi.ready();
  await api.create('deployments', deployment('d'));
  const path = `${pathOf('deployments')}/d`;
  const strategic = await api.call('PATCH', path, {
    contentType: 'application/strategic-merge-patch+json',
    body: { spec: { template: { spec: { containers: [{ name: 'other', image: 'busybox' }] } } } },
  });
  t.is(countAt(strategic.json, 'spec.template.spec.containers'), 2);
  const json = await api.call('PATCH', path, {
    contentType: 'application/json-patch+json',
    body: [{ op: 'replace', path: '/spec/replicas', value: 5 }],
  });
  t.is(at(json.json, 'spec.replicas'), 5);
  const apply = await api.call('PATCH', path, {
    contentType: 'application/apply-patch+yaml',
    body: 'kind: Deployment',
  });
  t.is(apply.status, 415);
  const wrong = await api.call('PATCH', path, { body: { spec: { replicas: 'many' } } });
  t.is(wrong.status, 422);
  t.regex(String(at(wrong.json, 'message')), /cannot unmarshal string into Go/);
  t.is((await api.call('PATCH', `${path}x`, { body: {} })).status, 404);
});

test('custom resources take no strategic patches', async (t) => {
  const api = await TestApi.ready();
  await api.create('gateways', gateway('g'));
  const path = `${pathOf('gateways')}/g`;
  const { status } = await api.call('PATCH', path, { contentType: 'application/strategic-merge-patch+json', body: {} });
  t.is(status, 415);
});

test('dryRun persists nothing', async (t) => {
  const api = await TestApi.ready();
  const query = { dryRun: 'All' };
  const made = await api.call('POST', pathOf('configmaps'), { body: configMap('a'), query });
  t.is(made.status, 201);
  t.is((await api.get('configmaps', 'a')).status, 404);
  await api.create('configmaps', configMap('a'));
  const revision = api.store.revision();
  const path = `${pathOf('configmaps')}/a`;
  t.is(at((await api.call('PATCH', path, { body: { data: { a: 'b' } }, query })).json, 'data.a'), 'b');
  t.is((await api.call('DELETE', path, { query })).status, 200);
  t.is(api.store.revision(), revision);
  t.is((await api.call('POST', pathOf('configmaps'), { body: configMap('b'), query: { dryRun: 'Some' } })).status, 422);
});

test('unknown fields: refused, told about, or ignored', async (t) => {
  const api = await TestApi.ready();
  const body = { ...pod('a'), foo: 1 };
  const send = (fieldValidation: string) =>
    api.call('POST', pathOf('pods'), { body, query: { fieldValidation, dryRun: 'All' } });
  const strict = await send('Strict');
  t.is(strict.status, 400);
  t.regex(String(at(strict.json, 'message')), /strict decoding error: unknown field "foo"$/);
  t.deepEqual((await send('Warn')).warnings, ['unknown field "foo"']);
  t.deepEqual((await send('Ignore')).warnings, []);
  const twice = '{"metadata":{"name":"a"},"data":{"a":"1","a":"2"}}';
  const duplicate = await api.call('POST', pathOf('configmaps'), { body: twice, query: { fieldValidation: 'Strict' } });
  t.regex(String(at(duplicate.json, 'message')), /duplicate field "data\.a"/);
});

test('bodies in YAML and protobuf; answers in YAML and protobuf', async (t) => {
  const api = await TestApi.ready();
  const yaml = await api.call('POST', pathOf('configmaps'), {
    body: 'metadata:\n  name: y\ndata:\n  a: b\n',
    contentType: 'application/yaml',
  });
  t.is(yaml.status, 201);
  const body = encodeProtobufObject(namespaces, { metadata: { name: 'proto' } });
  const made = await api.call('POST', '/api/v1/namespaces', {
    body,
    contentType: 'application/vnd.kubernetes.protobuf',
  });
  t.is(made.status, 201, made.text);
  const asYaml = await api.call('GET', '/api/v1/namespaces/proto', { accept: 'application/yaml' });
  t.regex(asYaml.text, /^ {2}name: proto$/m);
  const asProtobuf = await api.send('GET', '/api/v1/namespaces/proto', {
    accept: 'application/vnd.kubernetes.protobuf,application/json',
  });
  t.is(asProtobuf.contentType, 'application/vnd.kubernetes.protobuf');
  t.deepEqual(Buffer.concat(asProtobuf.body as Uint8Array[]).subarray(0, 4), Buffer.from('k8s\0'));
  t.is((await api.call('POST', pathOf('configmaps'), { body: '{}', contentType: 'text/plain' })).status, 415);
  t.is((await api.call('POST', pathOf('configmaps'), { body: '{' })).status, 400);
  t.is((await api.call('GET', '/api/v1/namespaces/proto', { accept: 'text/html' })).status, 406);
});

test('Tables and partial metadata', async (t) => {
  const api = await TestApi.ready();
  await api.create('pods', pod('a'));
  const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
  const table = await api.call('GET', pathOf('pods'), { accept });
  t.is(at(table.json, 'kind'), 'Table');
  t.is(at(table.json, 'rows.0.cells.0'), 'a');
  t.is(at(table.json, 'rows.0.object.kind'), 'PartialObjectMetadata');
  const whole = await api.call('GET', pathOf('pods'), { accept, query: { includeObject: 'Object' } });
  t.is(at(whole.json, 'rows.0.object.kind'), 'Pod');
  const partial = await api.call('GET', pathOf('pods'), {
    accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io',
  });
  t.is(at(partial.json, 'kind'), 'PartialObjectMetadataList');
  t.is(at(partial.json, 'items.0.spec'), undefined);
});

test('scale: read, written, patched', async (t) => {
  const api = await TestApi.ready();
  await api.create('deployments', deployment('d'));
  const path = `${pathOf('deployments')}/d/scale`;
  const { json: scale } = await api.call('GET', path);
  t.like(scale, { kind: 'Scale', apiVersion: 'autoscaling/v1', spec: { replicas: 2 }, status: { selector: 'app=d' } });
  t.is(at((await api.call('PATCH', path, { body: { spec: { replicas: 5 } } })).json, 'spec.replicas'), 5);
  t.is((await api.call('PUT', path, { body: { ...scale, spec: { replicas: 1 } } })).status, 409);
  t.is((await api.call('PATCH', path, { body: { spec: { replicas: -1 } } })).status, 422);
  t.is(at((await api.get('deployments', 'd')).json, 'metadata.generation'), 2);
});

test('binding places a pod once', async (t) => {
  const api = await TestApi.ready();
  await api.create('pods', pod('a'));
  const bind = (node: string) =>
    api.call('POST', `${pathOf('pods')}/a/binding`, {
      body: { apiVersion: 'v1', kind: 'Binding', metadata: { name: 'a' }, target: { kind: 'Node', name: node } },
    });
  t.is((await bind('n1')).status, 201);
  const { json } = await api.get('pods', 'a');
  t.is(at(json, 'spec.nodeName'), 'n1');
  t.like(objectAt(json, 'status.conditions.0'), { type: 'PodScheduled', status: 'True' });
  const again = await bind('n2');
  t.is(again.status, 409);
  t.regex(String(at(again.json, 'message')), /pod a is already assigned to node "n1"/);
});

test('events are one thing with two faces', async (t) => {
  const api = await TestApi.ready();
  await api.create('events', {
    metadata: { name: 'e', namespace: 'default' },
    involvedObject: { kind: 'Pod', name: 'a', namespace: 'default' },
    reason: 'Started',
    message: 'hello',
    type: 'Normal',
    source: { component: 'kubelet' },
  });
  const { json } = await api.call('GET', '/apis/events.k8s.io/v1/namespaces/default/events/e');
  t.like(json, {
    apiVersion: 'events.k8s.io/v1',
    note: 'hello',
    regarding: { name: 'a' },
    deprecatedSource: { component: 'kubelet' },
  });
  const selected = await api.call('GET', pathOf('events'), {
    query: { fieldSelector: 'involvedObject.name=a,reason=Started' },
  });
  t.is(countAt(selected.json, 'items'), 1);

  const made = await api.call('POST', '/apis/events.k8s.io/v1/namespaces/default/events', {
    body: {
      metadata: { name: 'f', namespace: 'default' },
      regarding: { kind: 'Pod', name: 'b', namespace: 'default' },
      eventTime: '2026-01-01T00:00:00.000000Z',
      reportingController: 'example.com/me',
      reportingInstance: 'me-1',
      action: 'Do',
      reason: 'Done',
      note: 'well',
      type: 'Normal',
    },
  });
  t.is(made.status, 201, made.text);
  const core = await api.get('events', 'f');
  t.like(core.json, { apiVersion: 'v1', message: 'well', involvedObject: { name: 'b' }, source: {} });
  const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
  t.is(countAt((await api.call('GET', pathOf('events'), { accept })).json, 'rows'), 2);
});

test('other versions of a kind are views of the stored one', async (t) => {
  const api = await TestApi.ready();
  const path = '/apis/networking.istio.io/v1beta1/namespaces/default/gateways';
  const body = { apiVersion: 'networking.istio.io/v1beta1', kind: 'Gateway', ...gateway('g') };
  const made = await api.call('POST', path, { body });
  t.is(made.status, 201, made.text);
  t.is(at(made.json, 'apiVersion'), 'networking.istio.io/v1beta1');
  t.is(at((await api.get('gateways', 'g')).json, 'apiVersion'), 'networking.istio.io/v1');
  const watch = await api.watch(path);
  t.is(at(await watch.next(), 'object.apiVersion'), 'networking.istio.io/v1beta1');
  await watch.leave();
});

test('who is nobody may ask for health only; who is somebody learns why not', async (t) => {
  const api = await TestApi.ready();
  const nobody = { user: undefined };
  t.is((await api.call('GET', '/readyz', nobody)).text, 'ok');
  t.is(at((await api.call('GET', '/version', nobody)).json, 'gitVersion'), 'v1.36.0+flotilla');
  const list = await api.call('GET', pathOf('pods'), nobody);
  t.is(list.status, 401);
  t.is(at(list.json, 'reason'), 'Unauthorized');
  const bob = { user: { name: 'bob', groups: ['system:authenticated'] } };
  const denied = await api.call('GET', `${pathOf('pods')}/a`, bob);
  t.is(denied.status, 403);
  t.is(
    at(denied.json, 'message'),
    'pods "a" is forbidden: User "bob" cannot get resource "pods" in API group "" in the namespace "default"',
  );
  t.is((await api.call('GET', '/api', bob)).status, 200);
  t.is((await api.call('GET', '/metrics', bob)).status, 403);
});

test('what is not there: 404, 405', async (t) => {
  const api = await TestApi.ready();
  t.is((await api.call('GET', '/api/v1/namespaces/default/nosuch')).status, 404);
  t.is((await api.call('GET', '/apis/nosuch/v1')).status, 404);
  t.is((await api.call('GET', '/api/v1/namespaces/default/nodes')).status, 404);
  t.is((await api.call('POST', '/api/v1/pods', { body: pod('a') })).status, 405);
  t.is((await api.call('GET', `${pathOf('pods')}/a/nosuch`)).status, 404);
  t.is((await api.call('GET', '/api/v1/namespaces/default/pods/%zz')).status, 404);
  t.is(at((await api.get('pods', 'a')).json, 'message'), 'pods "a" not found');
});

test('discovery in all its forms', async (t) => {
  const api = await TestApi.ready();
  const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json';
  const core = await api.call('GET', '/api', { accept });
  t.is(core.contentType, 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList');
  const listed = listAt(core.json, 'items.0.versions.0.resources');
  t.truthy(listed.find((r) => at(r, 'resource') === 'pods'));
  const known = await api.call('GET', '/api', { accept, ifNoneMatch: core.headers.etag });
  t.is(known.status, 304);
  t.is(at((await api.call('GET', '/apis')).json, 'kind'), 'APIGroupList');
  t.is(at((await api.call('GET', '/apis/apps')).json, 'preferredVersion.version'), 'v1');
  const v1 = await api.call('GET', '/api/v1');
  t.like(listAt(v1.json, 'resources').find((r) => at(r, 'name') === 'pods/eviction') as object, {
    group: 'policy',
    version: 'v1',
    kind: 'Eviction',
  });
  const istio = await api.call('GET', '/apis/networking.istio.io');
  t.is(at(istio.json, 'preferredVersion.version'), 'v1');
  const openapi = await api.call('GET', '/openapi/v3');
  t.regex(String(at(openapi.json, 'paths.apis/apps/v1.serverRelativeURL')), /\?hash=/);
});

test('the OpenAPI index lists each group and version once, reviews among them', async (t) => {
  const api = await TestApi.ready();
  const { paths } = (await api.call('GET', '/openapi/v3')).json as {
    paths: Record<string, { serverRelativeURL: string }>;
  };
  t.regex(paths['api/v1']!.serverRelativeURL, /^\/openapi\/v3\/api\/v1\?hash=[0-9A-F]{32}$/);
  t.truthy(paths['apis/networking.istio.io/v1']);
  for (const group of ['authentication.k8s.io', 'authorization.k8s.io']) {
    const document = await api.call('GET', `/openapi/v3/apis/${group}/v1`);
    t.is(document.status, 200);
    const { paths: operations } = document.json as { paths: Record<string, object> };
    t.true(Object.keys(operations).length > 0);
    for (const operation of Object.values(operations)) t.deepEqual(Object.keys(operation), ['post', 'parameters']);
  }
});

test('metrics count requests by verb and resource', async (t) => {
  const api = await TestApi.ready();
  await api.create('configmaps', configMap('a'));
  const { text } = await api.call('GET', '/metrics');
  t.regex(text, /apiserver_request_total\{verb="CREATE",group="",resource="configmaps",subresource="",code="201"\} 1/);
});

test('protobuf lists are made of the objects’ own bytes', async (t) => {
  const api = await TestApi.ready();
  await api.create('pods', pod('a'));
  await api.create('pods', pod('b'));
  const accept = 'application/vnd.kubernetes.protobuf';
  const response = await api.send('GET', pathOf('pods'), { accept, user: admin });
  const { decodeUnknown, decodeProtobuf } = await import('@flotilla/api');
  const envelope = decodeUnknown(Buffer.concat(response.body as Uint8Array[]));
  t.is(envelope.kind, 'PodList');
  const list = decodeProtobuf<{ items: { metadata: { name: string } }[]; metadata: { resourceVersion: string } }>(
    pods.listSchema,
    envelope.raw,
  );
  t.deepEqual(
    list.items.map((i) => i.metadata.name),
    ['a', 'b'],
  );
  t.is(list.metadata.resourceVersion, String(api.store.revision()));
});
