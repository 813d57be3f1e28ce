import test from 'ava';
import { namespaceConditions } from './decide.js';

const now = Date.parse('2025-01-01T00:00:00Z');
const by = (conditions: ReturnType<typeof namespaceConditions>, type: string) =>
  conditions.find((c) => c.type === type);

test('the conditions name what remains and what holds it, as upstream words it', (t) => {
  const pod = { metadata: { name: 'p', finalizers: ['example.com/hold'] } };
  const resources = [
    { resource: 'pods', group: '', objects: [pod, { metadata: { name: 'q' } }] },
    { resource: 'deployments', group: 'apps', objects: [] },
  ];
  const conditions = namespaceConditions([], { resources, errors: [] }, now);
  t.like(by(conditions, 'NamespaceContentRemaining'), {
    status: 'True',
    reason: 'SomeResourcesRemain',
    message: 'Some resources are remaining: pods. has 2 resource instances',
  });
  t.is(
    by(conditions, 'NamespaceFinalizersRemaining')?.message,
    'Some finalizers are remaining: example.com/hold in 1 resource instances',
  );
  t.like(by(conditions, 'NamespaceDeletionContentFailure'), { status: 'False', reason: 'ContentDeleted' });
  const later = namespaceConditions(conditions, { resources: [], errors: ['no'] }, now + 5000);
  t.like(by(later, 'NamespaceContentRemaining'), { status: 'False', lastTransitionTime: '2025-01-01T00:00:05Z' });
  t.like(by(later, 'NamespaceDeletionDiscoveryFailure'), { lastTransitionTime: '2025-01-01T00:00:00Z' });
  t.is(by(later, 'NamespaceDeletionContentFailure')?.message, 'Failed to delete all resource types, 1 remaining: no');
});
