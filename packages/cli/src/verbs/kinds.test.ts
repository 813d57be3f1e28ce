import test from 'ava';
import { UserError } from '../errors.js';
import { printedName, resolveKind, resolveKinds, resolveNamed, resolveTargets } from './kinds.js';

test('a kind has many names', (t) => {
  for (const word of ['pods', 'pod', 'po', 'Pod', 'PODS']) t.is(resolveKind(word).resource, 'pods', word);
  for (const word of ['deploy', 'deployments.apps', 'deployment.v1.apps'])
    t.is(resolveKind(word).kind, 'Deployment', word);
  t.is(resolveKind('vs').kind, 'VirtualService');
  t.is(resolveKind('gateways.networking.istio.io').version, 'v1');
});

test('events are those of the core group unless said otherwise', (t) => {
  t.is(resolveKind('events').group, '');
  t.is(resolveKind('events.events.k8s.io').group, 'events.k8s.io');
});

test('a kind that is not served is refused in kubectl’s words', (t) => {
  for (const word of ['widgets', 'pods.apps', 'deploy.']) {
    const error = t.throws(() => resolveKind(word), { instanceOf: UserError });
    t.is(error.message, `the server doesn't have a resource type "${word}"`);
  }
});

test('several kinds, each once', (t) => {
  t.deepEqual(
    resolveKinds('svc,pods,service').map((info) => info.resource),
    ['services', 'pods'],
  );
  const all = resolveKinds('all').map((info) => info.resource);
  t.deepEqual(all.toSorted(), ['deployments', 'pods', 'replicasets', 'services']);
});

test('targets: KIND, KIND NAME…, KIND/NAME…, KIND,KIND NAME', (t) => {
  const told = (...args: string[]): string[] =>
    resolveTargets(args).map(({ info, name }) => (name ? printedName(info, name) : info.resource));
  t.deepEqual(told('pods'), ['pods']);
  t.deepEqual(told('pod', 'a', 'b'), ['pod/a', 'pod/b']);
  t.deepEqual(told('deploy/a', 'svc/b'), ['deployment.apps/a', 'service/b']);
  t.deepEqual(told('deploy,svc', 'a'), ['deployment.apps/a', 'service/a']);
  for (const wrong of [['pods/'], ['/a'], ['a/b/c'], ['pod/a', 'b'], []]) {
    t.throws(() => resolveTargets(wrong), { instanceOf: UserError }, wrong.join(' '));
  }
  t.throws(() => resolveNamed(['pods']), { message: /a name is needed/ });
});
