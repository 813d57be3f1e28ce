import { findKind, type KubeObject, keyOf, type meta, type ResourceInfo } from '@flotilla/api';
import { done, type Outcome } from '@flotilla/base';
import { ignoring, refOf } from '../common/calls.js';
import { equivalent } from '../common/equivalent.js';
import { namespaceOf, uidOf } from '../common/objects.js';
import type { ControllerContext, RunningController } from '../context.js';
import { reconciler, running } from '../reconciler.js';
import { decideGarbage, type GarbageAction, type OwnerState } from './decide.js';
import { type GraphNode, isDeletingDependents, isOrphaning, OwnerGraph, ownersOf } from './graph.js';

/** How many uids known to be gone are remembered, so that a thousand dependents of one owner cost one request. */
const absentLimit = 500;

/** Deletes what has lost its owners, of any kind; carries out foreground and orphaning deletion. */
export function garbageCollector(ctx: ControllerContext): RunningController {
  const graph = new OwnerGraph();
  const absent = new Set<string>();
  const logger = ctx.logger.with({ controller: 'garbage-collector' });
  const recorder = ctx.recorder('garbage-collector-controller');
  const queue = reconciler(ctx, 'garbage-collector', reconcile, 20);

  async function reconcile(uid: string): Promise<Outcome> {
    const node = graph.get(uid);
    if (!node) return done;
    const owners = await Promise.all(ownersOf(node.object).map((ref) => stateOf(ref, node)));
    const dependents = graph.dependentsOf(uid);
    const action = decideGarbage({ object: node.object, owners, dependents: dependents.map((d) => d.object) });
    await apply(node, action, dependents);
    return done;
  }

  async function apply(node: GraphNode, action: GarbageAction, dependents: readonly GraphNode[]): Promise<void> {
    const { info, object } = node;
    switch (action.kind) {
      case 'keep':
        return;
      case 'delete':
        return remove(node, action.policy);
      case 'setOwners':
        return patch(info, object, { ownerReferences: action.owners });
      case 'removeFinalizer':
        return patch(info, object, {
          finalizers: (object.metadata.finalizers ?? []).filter((f) => f !== action.finalizer),
        });
      case 'orphan':
        // Each dependent's change calls for its owner again, which is then without dependents and may go.
        await Promise.all(dependents.map((d) => disown(d, uidOf(object))));
        return;
      case 'awaitDependents':
        for (const dependent of action.dependents) queue.add(uidOf(dependent));
        return;
      case 'unblockAndDelete':
        await patch(info, object, { ownerReferences: action.owners });
        return remove(node, 'Foreground', false);
    }
  }

  async function remove(
    { info, object }: GraphNode,
    policy: 'Foreground' | 'Background' | 'Orphan',
    exact = true,
  ): Promise<void> {
    logger.debug('deleting', { resource: info.resource, key: keyOf(object), policy });
    const resourceVersion = object.metadata.resourceVersion;
    await ignoring(['NotFound'], () =>
      ctx.client.resource(info).delete(refOf(object), {
        uid: uidOf(object),
        // The decision was made on this version: if the object has changed since, look again.
        ...(exact && resourceVersion ? { resourceVersion } : {}),
        propagationPolicy: policy,
      }),
    );
  }

  async function patch(info: ResourceInfo, object: KubeObject, metadata: Partial<meta.ObjectMeta>): Promise<void> {
    const { uid, resourceVersion } = object.metadata;
    await ignoring(['NotFound'], () =>
      ctx.client.resource(info).patch(refOf(object), { metadata: { uid, resourceVersion, ...metadata } }),
    );
  }

  const disown = ({ info, object }: GraphNode, owner: string): Promise<void> =>
    patch(info, object, { ownerReferences: ownersOf(object).filter((ref) => ref.uid !== owner) });

  async function stateOf(ref: meta.OwnerReference, dependent: GraphNode): Promise<OwnerState> {
    if (absent.has(ref.uid)) return 'absent';
    const known = graph.get(ref.uid);
    const info = known?.info ?? infoOf(ref);
    if (!info) return 'unresolvable';
    const namespace = namespaceOf(dependent.object);
    if (info.namespaced && !namespace) return refuse(ref, dependent, 'unresolvable');
    if (known) {
      const foreign = info.namespaced && namespaceOf(known.object) !== namespace;
      if (foreign) return refuse(ref, dependent, 'absent');
      return isDeletingDependents(known.object) ? 'waiting' : 'present';
    }
    const owner = await ignoring(['NotFound'], () =>
      ctx.client.resource(info).get(ref.name, info.namespaced ? namespace : undefined),
    );
    if (owner && uidOf(owner) === ref.uid) return isDeletingDependents(owner) ? 'waiting' : 'present';
    remember(ref.uid);
    return 'absent';
  }

  function refuse(ref: meta.OwnerReference, { object }: GraphNode, state: OwnerState): OwnerState {
    const owner = `[${ref.apiVersion}/${ref.kind}, namespace: ${namespaceOf(object)}, name: ${ref.name}, uid: ${ref.uid}]`;
    recorder.event(
      object,
      'Warning',
      'OwnerRefInvalidNamespace',
      `ownerRef ${owner} does not exist in namespace "${namespaceOf(object)}"`,
    );
    return state;
  }

  function remember(uid: string): void {
    absent.add(uid);
    for (const oldest of absent) {
      if (absent.size <= absentLimit) break;
      absent.delete(oldest);
    }
  }

  function infoOf(ref: meta.OwnerReference): ResourceInfo | undefined {
    const [group, version] = ref.apiVersion.includes('/') ? ref.apiVersion.split('/') : ['', ref.apiVersion];
    return findKind(group ?? '', version ?? '', ref.kind);
  }

  /** Deleting in the foreground waits for its dependents: a change of one of them may be the last. */
  const enqueueWaitingOwners = (object: KubeObject): void => {
    for (const { uid } of ownersOf(object)) {
      const owner = graph.get(uid)?.object;
      if (owner && (isDeletingDependents(owner) || isOrphaning(owner))) queue.add(uid);
    }
  };

  function changed(info: ResourceInfo, now: KubeObject | undefined, before: KubeObject | undefined): void {
    if (before && (!now || uidOf(now) !== uidOf(before))) {
      const dependents = graph.dependentsOf(uidOf(before));
      graph.remove(uidOf(before));
      if (dependents.length > 0) remember(uidOf(before));
      for (const dependent of dependents) queue.add(uidOf(dependent.object));
      enqueueWaitingOwners(before);
    }
    if (now) put(info, now, before);
  }

  function put(info: ResourceInfo, now: KubeObject, before: KubeObject | undefined): void {
    const uid = uidOf(now);
    const known = graph.get(uid)?.object;
    graph.put(info, now);
    if (known === undefined || !equivalent(ownersOf(now), ownersOf(known))) {
      if (ownersOf(now).some((ref) => !graph.get(ref.uid)) || known !== undefined) queue.add(uid);
      else if (ownersOf(now).some((ref) => isDoomed(ref.uid))) queue.add(uid);
      enqueueWaitingOwners(now);
      if (before) enqueueWaitingOwners(before);
    }
    if (isDeletingDependents(now) || isOrphaning(now)) queue.add(uid);
  }

  const isDoomed = (uid: string): boolean => {
    const owner = graph.get(uid)?.object;
    return owner !== undefined && isDeletingDependents(owner);
  };

  for (const [info, cache] of ctx.caches.all) for (const object of cache.list()) graph.put(info, object);
  for (const [, cache] of ctx.caches.all) {
    for (const object of cache.list()) {
      const lost = ownersOf(object).some((ref) => !graph.get(ref.uid) || isDoomed(ref.uid));
      if (lost || isDeletingDependents(object) || isOrphaning(object)) queue.add(uidOf(object));
    }
  }
  const listeners = [...ctx.caches.all].map(([info, cache]) =>
    cache.onChange((_key, now, before) => changed(info, now, before)),
  );
  return running(queue, listeners);
}
