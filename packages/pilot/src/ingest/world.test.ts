import test from 'ava';
import { bookinfo, bookinfoSubsets, ingressGateway, sidecar } from '../testing.js';

const client = sidecar('client');

test('a pod whose status changes in ways that do not matter leaves everything as it is', (t) => {
  const mesh = bookinfo();
  const before = mesh.snapshot;
  mesh.pod('reviews-v1-x', '127.65.1.5', { app: 'reviews', version: 'v1' });
  t.is(mesh.snapshot, before);
});

test('an endpoint change keeps the configuration, and the lists of other services', (t) => {
  const mesh = bookinfo();
  const before = mesh.snapshot;
  mesh.pod('reviews-v1-y', '127.65.2.1', { app: 'reviews', version: 'v1' });
  const after = mesh.snapshot;
  t.is(after.config, before.config);
  t.is(after.endpoints.get('default/ratings'), before.endpoints.get('default/ratings'));
  t.not(after.endpoints.get('default/reviews'), before.endpoints.get('default/reviews'));
  t.true(after.version > before.version);
});

test('a label that comes later moves a pod into its subset', (t) => {
  const mesh = bookinfo().apply(bookinfoSubsets);
  mesh.pod('reviews-v1-x', '127.65.1.5', { app: 'reviews', version: 'v2' });
  const labels = mesh.snapshot.endpoints.get('default/reviews')!.map((endpoint) => endpoint.labels.version);
  t.deepEqual(labels, ['v2', 'v2', 'v3']);
});

test('a deleted pod and a deleted service are gone', (t) => {
  const mesh = bookinfo();
  mesh.deletePod('default/reviews-v1-x');
  t.is(mesh.snapshot.endpoints.get('default/reviews')!.length, 2);
  mesh.remove('services', 'default/reviews');
  t.false(mesh.snapshot.config.services.has('reviews.default.svc.cluster.local'));
});

test('proxies with the same view share it; a label counts only if a rule asks for it', (t) => {
  const mesh = bookinfo();
  const [one, two] = [sidecar('a', { color: 'red' }), sidecar('b', { color: 'blue' })];
  t.is(mesh.view(one).outbound, mesh.view(two).outbound);
  mesh.apply(`
kind: VirtualService
metadata: { name: r }
spec: { hosts: [reviews], http: [{ match: [{ sourceLabels: { color: red } }], route: [{ destination: { host: ratings } }] }] }
`);
  t.not(mesh.view(one).outbound, mesh.view(two).outbound);
  t.is(mesh.view(two).outbound, mesh.view(sidecar('c', { color: 'blue', app: 'x' })).outbound);
});

test('what a change does not touch keeps its token, so that nothing is compared or sent', (t) => {
  const mesh = bookinfo();
  const before = mesh.view(client);
  mesh.pod('reviews-v1-y', '127.65.2.1', { app: 'reviews' });
  const after = mesh.view(client, before);
  t.not(after, before);
  for (const kind of ['cluster', 'listener', 'route'] as const) t.is(after.token(kind), before.token(kind), kind);
  t.not(after.token('endpoint'), before.token('endpoint'));
  t.is(mesh.view(client, after), after);
});

test('a rule for one service changes neither clusters nor listeners', (t) => {
  const mesh = bookinfo();
  const before = mesh.view(client);
  const route = before.find('route', '9080')!;
  mesh.apply(
    '{ kind: VirtualService, metadata: { name: r }, spec: { hosts: [reviews], http: [{ timeout: 1s, route: [{ destination: { host: reviews } }] }] } }',
  );
  const after = mesh.view(client, before);
  t.is(after.token('cluster'), before.token('cluster'));
  t.is(after.token('listener'), before.token('listener'));
  t.is(after.token('endpoint'), before.token('endpoint'));
  t.not(after.find('route', '9080')!.version, route.version);
});

test('a gateway and a sidecar do not share', (t) => {
  const mesh = bookinfo();
  t.not(mesh.view(client).outbound, mesh.view(ingressGateway).outbound);
});
