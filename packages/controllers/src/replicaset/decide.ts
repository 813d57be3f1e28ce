import {
  type apps,
  type core,
  formatTime,
  getCondition,
  isPodActive,
  isPodAvailable,
  isPodReady,
  isPodTerminal,
} from '@flotilla/api';
import { equivalent } from '../common/equivalent.js';
import { isTerminating, timeOf } from '../common/objects.js';
import { podsToDelete } from './ranking.js';

/** At most this many pods are created or deleted in one reconciliation, as upstream. */
export const burstReplicas = 500;

export interface ReplicaSetState {
  replicaSet: apps.ReplicaSet;
  /** The pods it controls. */
  pods: readonly core.Pod[];
  /** The pods of every replica set of the same owner, for spreading deletions over nodes. */
  related: readonly core.Pod[];
  /** False while the cache is known not to show the controller's own last actions. */
  cacheIsFresh: boolean;
}

export interface ReplicaSetPlan {
  create: number;
  remove: core.Pod[];
}

export function decideReplicaSet(state: ReplicaSetState, now: number): ReplicaSetPlan {
  const { replicaSet, pods } = state;
  if (!state.cacheIsFresh || isTerminating(replicaSet)) return { create: 0, remove: [] };
  const active = pods.filter(isPodActive);
  const missing = (replicaSet.spec.replicas ?? 1) - active.length;
  if (missing >= 0) return { create: Math.min(missing, burstReplicas), remove: [] };
  const count = Math.min(-missing, burstReplicas);
  return { create: 0, remove: podsToDelete(active, state.related, count, now) };
}

export interface ReplicaSetFailure {
  reason: 'FailedCreate' | 'FailedDelete';
  message: string;
}

export interface ReplicaSetStatusPlan {
  /** Undefined when the status is as it should be. */
  status?: apps.ReplicaSetStatus;
  /** When the next pod becomes available by mere waiting (minReadySeconds). */
  checkAgainInMs?: number;
}

/** The status for what is in the cache now; `failure` is what went wrong in this reconciliation. */
export function decideReplicaSetStatus(
  state: ReplicaSetState,
  failure: ReplicaSetFailure | undefined,
  now: number,
): ReplicaSetStatusPlan {
  const { replicaSet, pods } = state;
  const active = pods.filter(isPodActive);
  const minReady = replicaSet.spec.minReadySeconds ?? 0;
  const templateLabels = Object.entries(replicaSet.spec.template.metadata?.labels ?? {});
  const labelled = active.filter((pod) => templateLabels.every(([k, v]) => pod.metadata.labels?.[k] === v));
  const ready = active.filter(isPodReady);
  const available = ready.filter((pod) => isPodAvailable(pod, minReady, now));
  const terminating = pods.filter((pod) => isTerminating(pod) && !isPodTerminal(pod));
  const status: apps.ReplicaSetStatus = {
    replicas: active.length,
    fullyLabeledReplicas: labelled.length,
    readyReplicas: ready.length,
    availableReplicas: available.length,
    terminatingReplicas: terminating.length,
    observedGeneration: replicaSet.metadata.generation ?? 0,
    conditions: failureConditions(replicaSet, failure, active.length, now),
  };
  const checkAgainInMs = nextAvailable(ready, minReady, now);
  return {
    ...(equivalent(status, withZeroes(replicaSet.status)) ? {} : { status }),
    ...(checkAgainInMs === undefined ? {} : { checkAgainInMs }),
  };
}

function failureConditions(
  replicaSet: apps.ReplicaSet,
  failure: ReplicaSetFailure | undefined,
  active: number,
  now: number,
): apps.ReplicaSetCondition[] {
  const before = replicaSet.status.conditions ?? [];
  const others = before.filter((c) => c.type !== 'ReplicaFailure');
  const present = before.find((c) => c.type === 'ReplicaFailure');
  if (failure && !present) {
    return [...others, { type: 'ReplicaFailure', status: 'True', lastTransitionTime: formatTime(now), ...failure }];
  }
  if (failure || (present && active !== (replicaSet.spec.replicas ?? 1))) return before;
  return others;
}

function nextAvailable(ready: readonly core.Pod[], minReady: number, now: number): number | undefined {
  if (minReady === 0) return undefined;
  const waits = ready
    .map((pod) => timeOf(getCondition(pod.status.conditions, 'Ready')?.lastTransitionTime) + minReady * 1000 - now)
    .filter((wait) => wait > 0);
  return waits.length === 0 ? undefined : Math.min(...waits);
}

/** Zero counts are not written by Go's encoder (omitempty); read them back as zero. */
function withZeroes(status: apps.ReplicaSetStatus): apps.ReplicaSetStatus {
  return {
    fullyLabeledReplicas: 0,
    readyReplicas: 0,
    availableReplicas: 0,
    terminatingReplicas: 0,
    observedGeneration: 0,
    ...status,
  };
}
