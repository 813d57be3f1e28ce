import { type core, formatTime, type KubeObject, type meta, type ResourceInfo } from '@flotilla/api';

export interface DeletionOptions {
  gracePeriodSeconds?: number | undefined;
  propagationPolicy?: string | undefined;
  orphanDependents?: boolean | undefined;
}

/** What a DELETE comes to. */
export type DeletionPlan<T> =
  /** The object goes now. */
  | { action: 'remove' }
  /** It stays, marked, until its kubelet, its finalizers' owners or the garbage collector are done. */
  | { action: 'mark'; object: T }
  /** It is already on its way, and this request does not hurry it. */
  | { action: 'wait' };

const orphan = 'orphan';
const foreground = 'foregroundDeletion';

const isPod = (info: ResourceInfo, _object: KubeObject): _object is core.Pod =>
  info.group === '' && info.resource === 'pods';
const isNamespace = (info: ResourceInfo, _object: KubeObject): _object is core.Namespace =>
  info.group === '' && info.resource === 'namespaces';

/** How long a pod may take to stop, seconds: nothing to wait for when it never ran or has ended (podStrategy). */
function graceOf(pod: core.Pod, options: DeletionOptions): number {
  if (!pod.spec.nodeName || pod.status.phase === 'Succeeded' || pod.status.phase === 'Failed') return 0;
  const seconds = options.gracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? 30;
  return seconds < 0 ? 1 : seconds;
}

/** Finalizers that stand for the wish about dependents (garbage collector). No wish keeps those already there. */
function finalizersFor(present: readonly string[], options: DeletionOptions): string[] {
  const policy =
    options.propagationPolicy ??
    (options.orphanDependents === undefined ? undefined : options.orphanDependents ? 'Orphan' : 'Background');
  if (policy === undefined) return [...present];
  const others = present.filter((f) => f !== orphan && f !== foreground);
  if (policy === 'Orphan') return [...others, orphan];
  if (policy === 'Foreground') return [...others, foreground];
  return others;
}

function marked<T extends KubeObject>(object: T, change: meta.ObjectMeta): T {
  return { ...object, metadata: { ...object.metadata, ...change } };
}

/** Upstream's `rest.BeforeDelete` and what the registry does around it, as a decision. `now` in milliseconds. */
export function planDeletion<T extends KubeObject>(
  info: ResourceInfo<T>,
  object: T,
  options: DeletionOptions,
  now: number,
): DeletionPlan<T> {
  const finalizers = finalizersFor(object.metadata.finalizers ?? [], options);
  const changed = finalizers.join() !== (object.metadata.finalizers ?? []).join();
  const next = changed ? marked(object, { finalizers }) : object;
  if (isPod(info, object) && !isFinal(object, options)) return markPod(next, object, options, changed, now);
  if (isNamespace(info, object)) return markNamespace(next, object, changed, now);
  if (finalizers.length === 0) return { action: 'remove' };
  if (object.metadata.deletionTimestamp !== undefined) {
    const grace = object.metadata.deletionGracePeriodSeconds ?? 0;
    if (!changed && grace === 0) return { action: 'wait' };
    return { action: 'mark', object: marked(next, { deletionGracePeriodSeconds: 0 }) };
  }
  return {
    action: 'mark',
    object: marked(next, {
      deletionTimestamp: formatTime(now),
      deletionGracePeriodSeconds: 0,
      ...nextGeneration(object),
    }),
  };
}

const nextGeneration = (object: KubeObject): meta.ObjectMeta =>
  object.metadata.generation ? { generation: object.metadata.generation + 1 } : {};

/** Whether nothing is left to wait for on the node's side. */
const isFinal = (pod: core.Pod, options: DeletionOptions): boolean => graceOf(pod, options) === 0;

function markPod<T extends KubeObject>(
  next: T,
  pod: core.Pod,
  options: DeletionOptions,
  changed: boolean,
  now: number,
): DeletionPlan<T> {
  const grace = graceOf(pod, options);
  const { deletionTimestamp, deletionGracePeriodSeconds: present } = pod.metadata;
  if (deletionTimestamp === undefined) {
    const change = { deletionTimestamp: formatTime(now + grace * 1000), deletionGracePeriodSeconds: grace };
    return { action: 'mark', object: marked(next, { ...change, ...nextGeneration(pod) }) };
  }
  // A second request may only shorten the time that is left. Without one of its own it asks for nothing new.
  if (options.gracePeriodSeconds === undefined || present === undefined || grace >= present) {
    return changed ? { action: 'mark', object: next } : { action: 'wait' };
  }
  const started = Date.parse(deletionTimestamp) - present * 1000;
  return {
    action: 'mark',
    object: marked(next, {
      deletionTimestamp: formatTime(started + grace * 1000),
      deletionGracePeriodSeconds: grace,
    }),
  };
}

/** A namespace ends when its content is gone, which its finalizers stand for. */
function markNamespace<T extends KubeObject>(
  next: T,
  namespace: core.Namespace,
  changed: boolean,
  now: number,
): DeletionPlan<T> {
  if (isFinished(next)) return { action: 'remove' };
  if (namespace.metadata.deletionTimestamp !== undefined && namespace.status.phase === 'Terminating') {
    return changed ? { action: 'mark', object: next } : { action: 'wait' };
  }
  const object = marked(next, { deletionTimestamp: namespace.metadata.deletionTimestamp ?? formatTime(now) });
  return { action: 'mark', object: { ...object, status: { ...namespace.status, phase: 'Terminating' } } };
}

function isFinished(object: KubeObject): boolean {
  const { finalizers } = (object as KubeObject & { spec?: { finalizers?: string[] } }).spec ?? {};
  return (object.metadata.finalizers ?? []).length === 0 && (finalizers ?? []).length === 0;
}

/** Whether an update leaves nothing that keeps a deleted object: then the update is its end. */
export function endsByUpdate(info: ResourceInfo, object: KubeObject): boolean {
  if (object.metadata.deletionTimestamp === undefined) return false;
  if ((object.metadata.deletionGracePeriodSeconds ?? 0) !== 0) return false;
  return info.resource === 'namespaces' && info.group === ''
    ? isFinished(object)
    : (object.metadata.finalizers ?? []).length === 0;
}
