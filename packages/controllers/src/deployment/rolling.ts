import type { apps } from '@flotilla/api';
import { byCreation } from '../common/objects.js';
import { availableReplicas, specReplicas } from './status.js';
import { desiredReplicas, maxSurge, maxUnavailable } from './strategy.js';

/** New sizes by replica set; absent means unchanged. */
export type Sizes = Map<apps.ReplicaSet, number>;

/** How many pods the new replica set may have now, given `running` pods of the old ones and `present` of its own. */
export function surgedSize(deployment: apps.Deployment, running: number, present: number): number {
  const desired = desiredReplicas(deployment);
  const room = desired + maxSurge(deployment) - running - present;
  if (room <= 0) return present;
  return present + Math.min(room, desired - present);
}

/**
 * One step of a rolling update: grow the new replica set if the surge allows it; else shrink the old ones as far as
 * availability allows. The caller is called again when the replica sets' status has changed.
 *
 * Invariants: the sum of the sizes stays ≤ desired + maxSurge when it was; old replica sets are never shrunk so that
 * fewer than desired − maxUnavailable pods remain available.
 */
export function rollingStep(
  deployment: apps.Deployment,
  current: apps.ReplicaSet,
  old: readonly apps.ReplicaSet[],
): Sizes {
  const desired = desiredReplicas(deployment);
  const present = desiredReplicas(current);
  if (present > desired) return new Map([[current, desired]]);
  if (present < desired) {
    const size = surgedSize(deployment, specReplicas(old), present);
    if (size !== present) return new Map([[current, size]]);
  }
  return shrinkOld(deployment, current, old);
}

function shrinkOld(deployment: apps.Deployment, current: apps.ReplicaSet, old: readonly apps.ReplicaSet[]): Sizes {
  const active = old.filter((rs) => desiredReplicas(rs) > 0).sort(byCreation);
  const sizes: Sizes = new Map(active.map((rs) => [rs, desiredReplicas(rs)]));
  const minAvailable = desiredReplicas(deployment) - maxUnavailable(deployment);
  const newUnavailable = desiredReplicas(current) - (current.status.availableReplicas ?? 0);
  let removable = specReplicas([...active, current]) - minAvailable - newUnavailable;

  // Unhealthy pods of old replica sets go first: they would block the rollout, and they do not serve.
  for (const rs of active) {
    const unhealthy = desiredReplicas(rs) - (rs.status.availableReplicas ?? 0);
    const count = Math.max(0, Math.min(removable, unhealthy));
    sizes.set(rs, desiredReplicas(rs) - count);
    removable -= count;
  }
  if (removable > 0) {
    let spare = Math.min(removable, availableReplicas([...active, current]) - minAvailable);
    for (const rs of active) {
      const size = sizes.get(rs) ?? 0;
      const count = Math.max(0, Math.min(spare, size));
      sizes.set(rs, size - count);
      spare -= count;
    }
  }
  for (const rs of active) if (sizes.get(rs) === desiredReplicas(rs)) sizes.delete(rs);
  return sizes;
}
