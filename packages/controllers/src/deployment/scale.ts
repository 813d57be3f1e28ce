import type { apps } from '@flotilla/api';
import { byCreation } from '../common/objects.js';
import { desiredReplicasAnnotation, maxReplicasAnnotation } from './revision.js';
import type { Sizes } from './rolling.js';
import { specReplicas } from './status.js';
import { desiredReplicas, isRollingUpdate, maxSurge } from './strategy.js';

const isActive = (rs: apps.ReplicaSet): boolean => desiredReplicas(rs) > 0;

function annotatedNumber(rs: apps.ReplicaSet, key: string): number | undefined {
  const text = rs.metadata.annotations?.[key];
  return text === undefined || !/^\d+$/.test(text) ? undefined : Number(text);
}

/** The desired number changed since the active replica sets were sized: this is a scaling, not a rollout. */
export function isScalingEvent(deployment: apps.Deployment, replicaSets: readonly apps.ReplicaSet[]): boolean {
  return replicaSets.filter(isActive).some((rs) => {
    const annotated = annotatedNumber(rs, desiredReplicasAnnotation);
    return annotated !== undefined && annotated !== desiredReplicas(deployment);
  });
}

/** The new replica set has all its pods, available: the old ones can go at once. */
function isSaturated(deployment: apps.Deployment, current: apps.ReplicaSet | undefined): boolean {
  if (!current) return false;
  const desired = desiredReplicas(deployment);
  return (
    desiredReplicas(current) === desired &&
    annotatedNumber(current, desiredReplicasAnnotation) === desired &&
    current.status.availableReplicas === desired
  );
}

/** The only active replica set, or the newest when none is; undefined when several are active. */
function activeOrLatest(
  current: apps.ReplicaSet | undefined,
  old: readonly apps.ReplicaSet[],
): apps.ReplicaSet | undefined {
  const active = [...old, ...(current ? [current] : [])].filter(isActive);
  if (active.length > 1) return undefined;
  return active[0] ?? current ?? [...old].sort(byCreation).at(-1);
}

/**
 * Sizes after a change of the desired number. Amid a rollout every active replica set grows or shrinks in proportion to
 * its share, the largest first, and rounding goes to the largest (upstream's proportional scaling, which keeps the risk
 * of the new version where it was). Every listed replica set gets its size annotations refreshed.
 */
export function scaleSizes(
  deployment: apps.Deployment,
  current: apps.ReplicaSet | undefined,
  old: readonly apps.ReplicaSet[],
): Sizes {
  const desired = desiredReplicas(deployment);
  const only = activeOrLatest(current, old);
  if (only) return desiredReplicas(only) === desired ? new Map() : new Map([[only, desired]]);
  if (isSaturated(deployment, current)) return new Map(old.filter(isActive).map((rs) => [rs, 0]));
  if (!isRollingUpdate(deployment)) return new Map();
  return proportionalSizes(deployment, [...old, ...(current ? [current] : [])].filter(isActive));
}

function proportionalSizes(deployment: apps.Deployment, active: apps.ReplicaSet[]): Sizes {
  const desired = desiredReplicas(deployment);
  const allowed = desired > 0 ? desired + maxSurge(deployment) : 0;
  const toAdd = allowed - specReplicas(active);
  const newerFirst = toAdd > 0;
  const ordered = [...active].sort(
    (a, b) => desiredReplicas(b) - desiredReplicas(a) || (newerFirst ? byCreation(b, a) : byCreation(a, b)),
  );
  const sizes: Sizes = new Map();
  let added = 0;
  for (const rs of ordered) {
    const share = toAdd === 0 ? 0 : proportion(deployment, rs, toAdd, added);
    sizes.set(rs, desiredReplicas(rs) + share);
    added += share;
  }
  const largest = ordered[0];
  if (largest && toAdd !== 0) sizes.set(largest, Math.max(0, (sizes.get(largest) ?? 0) + toAdd - added));
  return sizes;
}

function proportion(deployment: apps.Deployment, rs: apps.ReplicaSet, toAdd: number, added: number): number {
  const present = desiredReplicas(rs);
  if (present === 0 || toAdd === added) return 0;
  const allowed = toAdd - added;
  const fraction = shareOf(deployment, rs);
  return toAdd > 0 ? Math.min(fraction, allowed) : Math.max(fraction, allowed);
}

function shareOf(deployment: apps.Deployment, rs: apps.ReplicaSet): number {
  const present = desiredReplicas(rs);
  const desired = desiredReplicas(deployment);
  if (desired === 0) return -present;
  const before = annotatedNumber(rs, maxReplicasAnnotation) || deployment.status.replicas || 0;
  if (before === 0) return 0;
  return Math.round((present * (desired + maxSurge(deployment))) / before) - present;
}
