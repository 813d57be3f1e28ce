import test from 'ava';
import { authorize } from './authorize.js';
import { userOfCertificate, userOfIdentity } from './authenticate.js';
import { route, type Target } from './route.js';

const of = (method: string, url: string): Target => {
  const [path = '', query = ''] = url.split('?');
  return route(method, path, new URLSearchParams(query));
};

const short = (target: Target): string =>
  target.kind === 'path'
    ? `${target.verb} ${target.path}`
    : [
        target.verb,
        target.group,
        target.version,
        target.namespace,
        target.resource,
        target.name,
        target.subresource,
      ].join(' ');

const cases: [string, string, string][] = [
  ['GET', '/api/v1/pods', 'list  v1  pods  '],
  ['GET', '/api/v1/pods?watch=1', 'watch  v1  pods  '],
  ['GET', '/api/v1/namespaces/a/pods/b', 'get  v1 a pods b '],
  ['GET', '/api/v1/namespaces/a/pods/b/log?follow=true', 'get  v1 a pods b log'],
  ['PUT', '/api/v1/namespaces/a', 'update  v1  namespaces a '],
  ['PUT', '/api/v1/namespaces/a/finalize', 'update  v1  namespaces a finalize'],
  ['GET', '/api/v1/namespaces/a/status', 'get  v1  namespaces a status'],
  ['POST', '/apis/apps/v1/namespaces/a/deployments', 'create apps v1 a deployments  '],
  ['DELETE', '/apis/apps/v1/namespaces/a/deployments', 'deletecollection apps v1 a deployments  '],
  ['PATCH', '/apis/apps/v1/namespaces/a/deployments/b/scale', 'patch apps v1 a deployments b scale'],
  ['GET', '/api/v1/watch/namespaces/a/pods', 'watch  v1 a pods  '],
  ['GET', '/api/v1/nodes/a%2Fb', 'get  v1  nodes a/b '],
  ['GET', '/api/v1', 'get /api/v1'],
  ['GET', '/apis/apps/v1', 'get /apis/apps/v1'],
  ['GET', '/healthz', 'get /healthz'],
  ['OPTIONS', '/api/v1/pods', 'options /api/v1/pods'],
];

for (const [method, url, expected] of cases) {
  test(`${method} ${url}`, (t) => t.is(short(of(method, url)), expected));
}

test('a certificate’s subject is the user', (t) => {
  t.deepEqual(userOfCertificate({ CN: 'bob', O: ['a', 'b'] }), {
    name: 'bob',
    groups: ['a', 'b', 'system:authenticated'],
  });
  t.deepEqual(userOfCertificate({ CN: 'bob', O: 'a' })?.groups, ['a', 'system:authenticated']);
  t.is(userOfCertificate({ O: 'a' }), undefined);
});

test('components may do their work, and no more', (t) => {
  const may = (identity: string, method: string, url: string): boolean =>
    authorize(userOfIdentity(identity), of(method, url)).allowed;
  t.true(may('controllers', 'DELETE', '/apis/apps/v1/namespaces/a/replicasets/b'));
  t.true(may('scheduler', 'POST', '/api/v1/namespaces/a/pods/b/binding'));
  t.false(may('scheduler', 'PUT', '/api/v1/namespaces/a/pods/b'));
  t.true(may('pilot', 'GET', '/apis/networking.istio.io/v1/virtualservices?watch=1'));
  t.false(may('pilot', 'DELETE', '/api/v1/namespaces/a/pods/b'));
  t.true(may('node-1', 'PATCH', '/api/v1/namespaces/a/pods/b/status'));
  t.true(may('node-1', 'GET', '/api/v1/pods?watch=1'));
  t.false(may('node-1', 'POST', '/apis/apps/v1/namespaces/a/deployments'));
  t.false(may('node-1', 'DELETE', '/api/v1/nodes/node-1'));
  t.true(may('apiserver', 'DELETE', '/api/v1/nodes/node-1'));
});
