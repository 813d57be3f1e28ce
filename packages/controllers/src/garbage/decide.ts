import type { KubeObject, meta } from '@flotilla/api';
import { isTerminating, uidOf } from '../common/objects.js';
import { foregroundFinalizer, isDeletingDependents, isOrphaning, orphanFinalizer, ownersOf } from './graph.js';

export type PropagationPolicy = 'Foreground' | 'Background' | 'Orphan';

/**
 * `waiting`: it is deleted in the foreground, after its dependents. `unresolvable`: nobody can say (the kind is not
 * served, or the owner has a namespace and the dependent has none), so the reference counts as alive.
 */
export type OwnerState = 'present' | 'waiting' | 'absent' | 'unresolvable';

export interface OwnedState {
  object: KubeObject;
  /** State of each owner reference, in order. */
  owners: readonly OwnerState[];
  dependents: readonly KubeObject[];
}

export type GarbageAction =
  | { kind: 'keep' }
  | { kind: 'delete'; policy: PropagationPolicy }
  /** The new list of owner references; some owners are gone, some still live. */
  | { kind: 'setOwners'; owners: meta.OwnerReference[] }
  | { kind: 'removeFinalizer'; finalizer: string }
  /** Take the object out of these dependents' owner references, then remove its orphan finalizer. */
  | { kind: 'orphan'; dependents: readonly KubeObject[] }
  /** Foreground deletion: these are to go first. */
  | { kind: 'awaitDependents'; dependents: readonly KubeObject[] }
  /** As `delete` with Foreground, but first stop blocking the owners: a circle would never end. */
  | { kind: 'unblockAndDelete'; owners: meta.OwnerReference[] };

/** What to do with an object, given its owners and dependents. Follows upstream's attemptToDeleteItem and orphanDependents. */
export function decideGarbage({ object, owners, dependents }: OwnedState): GarbageAction {
  if (isOrphaning(object)) {
    return dependents.length === 0
      ? { kind: 'removeFinalizer', finalizer: orphanFinalizer }
      : { kind: 'orphan', dependents };
  }
  if (isDeletingDependents(object)) {
    const blocking = dependents.filter((dependent) => blocks(dependent, object));
    if (blocking.length === 0) return { kind: 'removeFinalizer', finalizer: foregroundFinalizer };
    return { kind: 'awaitDependents', dependents: dependents.filter((d) => !isDeletingDependents(d)) };
  }
  const references = ownersOf(object);
  if (isTerminating(object) || references.length === 0) return { kind: 'keep' };

  const alive = references.filter((_, i) => owners[i] === 'present' || owners[i] === 'unresolvable');
  if (alive.length > 0) {
    return alive.length === references.length ? { kind: 'keep' } : { kind: 'setOwners', owners: alive };
  }
  if (owners.includes('waiting') && dependents.length > 0) {
    if (!dependents.some(isDeletingDependents)) return { kind: 'delete', policy: 'Foreground' };
    return { kind: 'unblockAndDelete', owners: references.map((ref) => ({ ...ref, blockOwnerDeletion: false })) };
  }
  return { kind: 'delete', policy: policyOf(object) };
}

const blocks = (dependent: KubeObject, owner: KubeObject): boolean =>
  ownersOf(dependent).some((ref) => ref.uid === uidOf(owner) && ref.blockOwnerDeletion === true);

/** An object that was already asked to be orphaned or awaited keeps that wish. */
function policyOf(object: KubeObject): PropagationPolicy {
  const finalizers = object.metadata.finalizers ?? [];
  if (finalizers.includes(orphanFinalizer)) return 'Orphan';
  if (finalizers.includes(foregroundFinalizer)) return 'Foreground';
  return 'Background';
}
