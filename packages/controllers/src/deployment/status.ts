import { type apps, type core, formatTime } from '@flotilla/api';
import { nameOf, timeOf } from '../common/objects.js';
import { desiredReplicas, maxUnavailable } from './strategy.js';

type Condition = apps.DeploymentCondition;

const sum = (sets: readonly apps.ReplicaSet[], of: (rs: apps.ReplicaSet) => number | undefined): number =>
  sets.reduce((total, rs) => total + (of(rs) ?? 0), 0);

export const specReplicas = (sets: readonly apps.ReplicaSet[]): number => sum(sets, desiredReplicas);
export const availableReplicas = (sets: readonly apps.ReplicaSet[]): number =>
  sum(sets, (rs) => rs.status.availableReplicas);

export function findCondition(conditions: readonly Condition[] | undefined, type: string): Condition | undefined {
  return conditions?.find((c) => c.type === type);
}

export function newCondition(
  type: Condition['type'],
  status: core.ConditionStatus,
  reason: string,
  message: string,
  now: number,
): Condition {
  const time = formatTime(now);
  return { type, status, lastUpdateTime: time, lastTransitionTime: time, reason, message };
}

/** Upstream's SetDeploymentCondition: same status and reason is no change; same status keeps the transition time. */
export function withCondition(conditions: readonly Condition[], condition: Condition): Condition[] {
  const present = findCondition(conditions, condition.type);
  if (present && present.status === condition.status && present.reason === condition.reason) return [...conditions];
  const kept = present?.status === condition.status ? present.lastTransitionTime : condition.lastTransitionTime;
  return [...withoutCondition(conditions, condition.type), { ...condition, lastTransitionTime: kept }];
}

export const withoutCondition = (conditions: readonly Condition[], type: string): Condition[] =>
  conditions.filter((c) => c.type !== type);

/** Counts and the Available condition; `conditions` are those to start from. */
export function countedStatus(
  deployment: apps.Deployment,
  all: readonly apps.ReplicaSet[],
  current: apps.ReplicaSet | undefined,
  conditions: readonly Condition[],
  now: number,
): apps.DeploymentStatus & { conditions: Condition[] } {
  const available = availableReplicas(all);
  const enough = available >= desiredReplicas(deployment) - maxUnavailable(deployment);
  const condition = enough
    ? newCondition('Available', 'True', 'MinimumReplicasAvailable', 'Deployment has minimum availability.', now)
    : newCondition(
        'Available',
        'False',
        'MinimumReplicasUnavailable',
        'Deployment does not have minimum availability.',
        now,
      );
  const collisions = deployment.status.collisionCount;
  return {
    observedGeneration: deployment.metadata.generation ?? 0,
    replicas: sum(all, (rs) => rs.status.replicas),
    updatedReplicas: current?.status.replicas ?? 0,
    readyReplicas: sum(all, (rs) => rs.status.readyReplicas),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, specReplicas(all) - available),
    terminatingReplicas: sum(all, (rs) => rs.status.terminatingReplicas),
    ...(collisions === undefined ? {} : { collisionCount: collisions }),
    conditions: withCondition(conditions, condition),
  };
}

/** Every pod is of the new template and available, and the controller has seen the last change of the spec. */
export function isComplete(deployment: apps.Deployment, status: apps.DeploymentStatus): boolean {
  const desired = desiredReplicas(deployment);
  return (
    (status.updatedReplicas ?? 0) === desired &&
    (status.replicas ?? 0) === desired &&
    (status.availableReplicas ?? 0) === desired &&
    (status.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0)
  );
}

function isProgressing(before: apps.DeploymentStatus, after: apps.DeploymentStatus): boolean {
  const old = (s: apps.DeploymentStatus): number => (s.replicas ?? 0) - (s.updatedReplicas ?? 0);
  return (
    (after.updatedReplicas ?? 0) > (before.updatedReplicas ?? 0) ||
    old(after) < old(before) ||
    (after.readyReplicas ?? 0) > (before.readyReplicas ?? 0) ||
    (after.availableReplicas ?? 0) > (before.availableReplicas ?? 0)
  );
}

/** The deadline in milliseconds, or undefined if progress is not judged (math.MaxInt32 means "no deadline" upstream). */
export function progressDeadlineMs(deployment: apps.Deployment): number | undefined {
  const seconds = deployment.spec.progressDeadlineSeconds;
  return seconds === undefined || seconds === 2147483647 ? undefined : seconds * 1000;
}

function isTimedOut(deployment: apps.Deployment, status: apps.DeploymentStatus, now: number): boolean {
  const condition = findCondition(status.conditions, 'Progressing');
  if (!condition || condition.reason === 'NewReplicaSetAvailable') return false;
  if (condition.reason === 'ProgressDeadlineExceeded') return true;
  return timeOf(condition.lastUpdateTime) + (progressDeadlineMs(deployment) ?? Number.POSITIVE_INFINITY) < now;
}

/** The Progressing condition of a rollout, after upstream's syncRolloutStatus. */
export function judgeProgress(
  deployment: apps.Deployment,
  status: apps.DeploymentStatus & { conditions: Condition[] },
  current: apps.ReplicaSet | undefined,
  now: number,
): Condition[] {
  const { conditions } = status;
  if (progressDeadlineMs(deployment) === undefined) return withoutCondition(conditions, 'Progressing');
  const present = findCondition(conditions, 'Progressing');
  const wasComplete = status.replicas === status.updatedReplicas && present?.reason === 'NewReplicaSetAvailable';
  if (wasComplete) return conditions;
  const what = current ? `ReplicaSet "${nameOf(current)}"` : `Deployment "${nameOf(deployment)}"`;
  if (isComplete(deployment, status)) {
    const message = `${what} has successfully progressed.`;
    return withCondition(conditions, newCondition('Progressing', 'True', 'NewReplicaSetAvailable', message, now));
  }
  if (isProgressing(deployment.status, status)) {
    const condition = newCondition('Progressing', 'True', 'ReplicaSetUpdated', `${what} is progressing.`, now);
    // Written even when nothing but the time changes: the deadline counts from the last progress.
    if (present?.status === 'True') condition.lastTransitionTime = present.lastTransitionTime;
    return [...withoutCondition(conditions, 'Progressing'), condition];
  }
  if (isTimedOut(deployment, status, now)) {
    const message = `${what} has timed out progressing.`;
    return withCondition(conditions, newCondition('Progressing', 'False', 'ProgressDeadlineExceeded', message, now));
  }
  return conditions;
}

/** ReplicaFailure, taken over from the new replica set or else from any other. */
export function replicaFailure(
  conditions: Condition[],
  all: readonly apps.ReplicaSet[],
  current: apps.ReplicaSet | undefined,
): Condition[] {
  const failures = [...(current ? [current] : []), ...all].flatMap((rs) =>
    (rs.status.conditions ?? []).filter((c) => c.type === 'ReplicaFailure'),
  );
  const failure = failures[0];
  if (!failure) return withoutCondition(conditions, 'ReplicaFailure');
  return withCondition(conditions, { ...failure, lastUpdateTime: failure.lastTransitionTime });
}
