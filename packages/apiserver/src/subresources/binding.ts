import { conflict, type core, fieldErrors, FieldPath, formatTime, invalid, pods, setCondition } from '@flotilla/api';

/** The pod as the scheduler has placed it (upstream's `assignPod`). Throws 409 when it cannot be placed any more. */
export function bound(pod: core.Pod, binding: core.Binding, now: number): core.Pod {
  const { name = '' } = pod.metadata;
  const { target } = binding;
  if (target.kind && target.kind !== 'Node') {
    throw invalid({ group: '', kind: 'Binding' }, name, [
      fieldErrors.notSupported(FieldPath.of('target', 'kind'), target.kind, ['Node', '<empty>']),
    ]);
  }
  if (!target.name) {
    throw invalid({ group: '', kind: 'Binding' }, name, [fieldErrors.required(FieldPath.of('target', 'name'))]);
  }
  if (binding.metadata.uid && binding.metadata.uid !== pod.metadata.uid) {
    const why = `Precondition failed: UID in precondition: ${binding.metadata.uid}, UID in object meta: ${pod.metadata.uid}`;
    throw conflict(pods, name, why);
  }
  if (pod.metadata.deletionTimestamp !== undefined) {
    throw conflict(
      { group: '', resource: 'pods/binding' },
      name,
      `pod ${name} is being deleted, cannot be assigned to a host`,
    );
  }
  if (pod.spec.nodeName) {
    throw conflict(
      { group: '', resource: 'pods/binding' },
      name,
      `pod ${name} is already assigned to node ${JSON.stringify(pod.spec.nodeName)}`,
    );
  }
  const scheduled = { type: 'PodScheduled' as const, status: 'True' as const };
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      ...(binding.metadata.annotations
        ? { annotations: { ...pod.metadata.annotations, ...binding.metadata.annotations } }
        : {}),
    },
    spec: { ...pod.spec, nodeName: target.name },
    status: { ...pod.status, conditions: setCondition(pod.status.conditions, scheduled, formatTime(now)) },
  };
}
