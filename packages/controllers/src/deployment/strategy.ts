import type { apps } from '@flotilla/api';

export interface Fenceposts {
  /** Pods allowed above the desired number. */
  maxSurge: number;
  /** Pods allowed to be missing below the desired number. */
  maxUnavailable: number;
}

export const desiredReplicas = (workload: { spec: { replicas?: number } }): number => workload.spec.replicas ?? 1;

export const isRollingUpdate = (deployment: apps.Deployment): boolean => deployment.spec.strategy?.type !== 'Recreate';

function scaled(value: number | string | undefined, total: number, round: (x: number) => number): number {
  if (value === undefined) return 0;
  if (typeof value === 'number') return value;
  const percent = /^(\d+)%$/.exec(value)?.[1];
  return percent === undefined ? 0 : round((Number(percent) * total) / 100);
}

/**
 * Upstream's ResolveFenceposts: percentages of the desired number, the surge rounded up and the unavailable rounded down;
 * both zero would never progress, so one may then be unavailable. Recreate has neither.
 */
export function fenceposts(deployment: apps.Deployment): Fenceposts {
  if (!isRollingUpdate(deployment)) return { maxSurge: 0, maxUnavailable: 0 };
  const desired = desiredReplicas(deployment);
  const rolling = deployment.spec.strategy?.rollingUpdate;
  const maxSurge = scaled(rolling?.maxSurge ?? '25%', desired, Math.ceil);
  const maxUnavailable = scaled(rolling?.maxUnavailable ?? '25%', desired, Math.floor);
  if (maxSurge === 0 && maxUnavailable === 0) return { maxSurge, maxUnavailable: 1 };
  return { maxSurge, maxUnavailable };
}

/** maxUnavailable, never above the desired number (deploymentutil.MaxUnavailable). */
export function maxUnavailable(deployment: apps.Deployment): number {
  const desired = desiredReplicas(deployment);
  return desired === 0 ? 0 : Math.min(fenceposts(deployment).maxUnavailable, desired);
}

export const maxSurge = (deployment: apps.Deployment): number => fenceposts(deployment).maxSurge;
