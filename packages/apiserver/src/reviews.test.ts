import { decodeProtobufObject, encodeProtobufObject, schemaOf } from '@flotilla/api';
import test from 'ava';
import { at, listAt, nodeUser, TestApi } from './testing/api.js';

const whoami = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
const accessPath = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
const rulesPath = '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews';

test('who am I, in JSON and in protobuf', async (t) => {
  const api = new TestApi();
  const answer = await api.call('POST', whoami, { body: {}, user: nodeUser('n1') });
  t.is(answer.status, 201);
  t.deepEqual(at(answer.json, 'status.userInfo'), {
    username: 'system:node:n1',
    groups: ['system:nodes', 'system:authenticated'],
  });
  const media = 'application/vnd.kubernetes.protobuf';
  const schema = schemaOf('authentication.SelfSubjectReview');
  const body = encodeProtobufObject(schema, { metadata: {}, status: {} });
  const response = await api.send('POST', whoami, { body, contentType: media, accept: media });
  if (typeof response.body === 'function') return t.fail('a review does not stream');
  const decoded = decodeProtobufObject(schema, Buffer.concat(response.body));
  t.is(at(decoded, 'status.userInfo.username'), 'admin');
  const unknown = await api.call('POST', whoami, { body: {}, user: { name: 'system:anonymous', groups: [] } });
  t.is(unknown.status, 403);
});

test('can I?', async (t) => {
  const api = new TestApi();
  const can = async (spec: object, node = true) => {
    const answer = await api.call('POST', accessPath, { body: { spec }, ...(node ? { user: nodeUser('n1') } : {}) });
    return at(answer.json, 'status.allowed') ?? answer.status;
  };
  const resource = (verb: string, what: string, group = '') => ({
    resourceAttributes: { verb, resource: what, group },
  });
  t.is(await can(resource('list', 'pods')), true);
  t.is(await can(resource('create', 'deployments', 'apps')), false);
  t.is(await can(resource('*', '*', '*')), false);
  t.is(await can(resource('*', '*', '*'), false), true);
  t.is(await can({ resourceAttributes: { verb: 'patch', resource: 'pods', subresource: 'status' } }), true);
  t.is(await can({ nonResourceAttributes: { verb: 'get', path: '/healthz' } }), true);
  t.is(await can({ nonResourceAttributes: { verb: 'get', path: '/metrics' } }), false);
  t.is(await can({}), 422);
});

test('what can I?', async (t) => {
  const api = new TestApi();
  const { json } = await api.call('POST', rulesPath, { body: { spec: { namespace: 'default' } } });
  t.deepEqual(listAt(json, 'status.resourceRules')[0], { verbs: ['*'], apiGroups: ['*'], resources: ['*'] });
  t.deepEqual(listAt(json, 'status.nonResourceRules')[0], { verbs: ['*'], nonResourceURLs: ['*'] });
  t.is((await api.call('POST', rulesPath, { body: { spec: {} } })).status, 400);
});

test('reviews are only asked, and discovery says so', async (t) => {
  const api = new TestApi();
  t.is((await api.call('GET', whoami)).status, 405);
  t.is((await api.call('GET', `${whoami}/x`)).status, 404);
  const { json } = await api.call('GET', '/apis/authorization.k8s.io/v1');
  t.deepEqual(
    listAt(json, 'resources').map((r) => [at(r, 'name'), at(r, 'verbs')]),
    [
      ['selfsubjectaccessreviews', ['create']],
      ['selfsubjectrulesreviews', ['create']],
    ],
  );
});
