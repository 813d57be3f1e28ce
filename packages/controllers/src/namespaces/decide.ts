import { type core, type KubeObject, formatTime } from '@flotilla/api';

export interface RemainingContent {
  /** `resource.group` with how many objects of it are left. */
  resources: readonly { resource: string; group: string; objects: readonly KubeObject[] }[];
  /** What went wrong while deleting. */
  errors: readonly string[];
}

interface Finding {
  reason: string;
  message: string;
}

type ConditionType =
  | 'NamespaceDeletionDiscoveryFailure'
  | 'NamespaceDeletionGroupVersionParsingFailure'
  | 'NamespaceDeletionContentFailure'
  | 'NamespaceContentRemaining'
  | 'NamespaceFinalizersRemaining';

/** What each condition says while all is well, as upstream words it. */
const fine: readonly [ConditionType, Finding][] = [
  [
    'NamespaceDeletionDiscoveryFailure',
    { reason: 'ResourcesDiscovered', message: 'All resources successfully discovered' },
  ],
  [
    'NamespaceDeletionGroupVersionParsingFailure',
    { reason: 'ParsedGroupVersions', message: 'All legacy kube types successfully parsed' },
  ],
  [
    'NamespaceDeletionContentFailure',
    { reason: 'ContentDeleted', message: 'All content successfully deleted, may be waiting on finalization' },
  ],
  ['NamespaceContentRemaining', { reason: 'ContentRemoved', message: 'All content successfully removed' }],
  ['NamespaceFinalizersRemaining', { reason: 'ContentRemoved', message: 'All content successfully removed' }],
];

/** The conditions of a terminating namespace that still has `remaining`. */
export function namespaceConditions(
  present: readonly core.NamespaceCondition[],
  remaining: RemainingContent,
  now: number,
): core.NamespaceCondition[] {
  const findings = findingsOf(remaining);
  const updated = fine.map(([type, ok]): core.NamespaceCondition => {
    const finding = findings.get(type);
    const status = finding ? 'True' : 'False';
    const before = present.find((c) => c.type === type);
    const since = before?.status === status ? before.lastTransitionTime : undefined;
    return { type, status, lastTransitionTime: since ?? formatTime(now), ...(finding ?? ok) };
  });
  return [...present.filter((c) => !fine.some(([type]) => type === c.type)), ...updated];
}

function findingsOf({ resources, errors }: RemainingContent): Map<ConditionType, Finding> {
  const findings = new Map<ConditionType, Finding>();
  if (errors.length > 0) {
    const message = `Failed to delete all resource types, ${errors.length} remaining: ${[...errors].sort().join(', ')}`;
    findings.set('NamespaceDeletionContentFailure', { reason: 'ContentDeletionFailed', message });
  }
  const left = resources.filter((r) => r.objects.length > 0);
  if (left.length > 0) {
    const counts = left.map((r) => `${r.resource}.${r.group} has ${r.objects.length} resource instances`).sort();
    const message = `Some resources are remaining: ${counts.join(', ')}`;
    findings.set('NamespaceContentRemaining', { reason: 'SomeResourcesRemain', message });
  }
  const finalizers = new Map<string, number>();
  for (const object of left.flatMap((r) => r.objects)) {
    for (const finalizer of object.metadata.finalizers ?? []) {
      finalizers.set(finalizer, (finalizers.get(finalizer) ?? 0) + 1);
    }
  }
  if (finalizers.size > 0) {
    const counts = [...finalizers].map(([name, count]) => `${name} in ${count} resource instances`).sort();
    const message = `Some finalizers are remaining: ${counts.join(', ')}`;
    findings.set('NamespaceFinalizersRemaining', { reason: 'SomeFinalizersRemain', message });
  }
  return findings;
}
