import { type core, formatTime, getCondition, isPodReady, isPodTerminal } from '@flotilla/api';
import { timeOf } from '../common/objects.js';

const deletionCostAnnotation = 'controller.kubernetes.io/pod-deletion-cost';

export interface RankedPod {
  pod: core.Pod;
  /** How many pods of the same workload run on its node. */
  sameNode: number;
}

const phaseRank: Record<string, number> = { Pending: 0, Unknown: 1, Running: 2 };

const readyCondition = (pod: core.Pod): core.PodCondition | undefined => getCondition(pod.status.conditions, 'Ready');

function deletionCost(pod: core.Pod): number {
  const text = pod.metadata.annotations?.[deletionCostAnnotation];
  const cost = text === undefined ? 0 : Number(text);
  return Number.isInteger(cost) ? cost : 0;
}

/** Restarts of regular containers and of sidecars; the most of any container counts. */
function mostRestarts(statuses: readonly core.ContainerStatus[] | undefined): number {
  return (statuses ?? []).reduce((most, s) => Math.max(most, s.restartCount), 0);
}

/** Ages are compared by their order of magnitude, so that the choice among pods of about one age is left to the uid. */
function logAge(since: number, now: number): number {
  return now - since <= 0 ? -1 : Math.floor(Math.log2(now - since));
}

/**
 * Which pod to delete first when shrinking: negative if `a` goes before `b`. Upstream's ActivePodsWithRanks: unassigned,
 * pending, not ready, cheap, doubled up on a node, ready for a shorter time, restarted more often, younger.
 */
export function compareForDeletion(a: RankedPod, b: RankedPod, now: number): number {
  const [p, q] = [a.pod, b.pod];
  const assigned = Number(Boolean(p.spec.nodeName)) - Number(Boolean(q.spec.nodeName));
  if (assigned !== 0) return assigned;
  const phase = (phaseRank[p.status.phase ?? ''] ?? 1) - (phaseRank[q.status.phase ?? ''] ?? 1);
  if (phase !== 0) return phase;
  const ready = Number(isPodReady(p)) - Number(isPodReady(q));
  if (ready !== 0) return ready;
  const cost = deletionCost(p) - deletionCost(q);
  if (cost !== 0) return cost;
  if (a.sameNode !== b.sameNode) return b.sameNode - a.sameNode;
  if (isPodReady(p)) {
    const since = (pod: core.Pod): number => timeOf(readyCondition(pod)?.lastTransitionTime, now);
    const age = logAge(since(p), now) - logAge(since(q), now);
    if (age !== 0) return age;
  }
  const restarts = mostRestarts(q.status.containerStatuses) - mostRestarts(p.status.containerStatuses);
  if (restarts !== 0) return restarts;
  const sidecars = mostRestarts(q.status.initContainerStatuses) - mostRestarts(p.status.initContainerStatuses);
  if (sidecars !== 0) return sidecars;
  const created = (pod: core.Pod): number => timeOf(pod.metadata.creationTimestamp ?? formatTime(now));
  const age = logAge(created(p), now) - logAge(created(q), now);
  if (age !== 0) return age;
  return (p.metadata.uid ?? '') < (q.metadata.uid ?? '') ? -1 : 1;
}

/** The `count` pods to delete. `related` are the pods of all replica sets of the same owner. */
export function podsToDelete(
  pods: readonly core.Pod[],
  related: readonly core.Pod[],
  count: number,
  now: number,
): core.Pod[] {
  if (count >= pods.length) return [...pods];
  const perNode = new Map<string, number>();
  for (const pod of related) {
    if (!pod.spec.nodeName || isPodTerminal(pod)) continue;
    perNode.set(pod.spec.nodeName, (perNode.get(pod.spec.nodeName) ?? 0) + 1);
  }
  return pods
    .map((pod) => ({ pod, sameNode: perNode.get(pod.spec.nodeName ?? '') ?? 0 }))
    .sort((a, b) => compareForDeletion(a, b, now))
    .slice(0, count)
    .map((ranked) => ranked.pod);
}
