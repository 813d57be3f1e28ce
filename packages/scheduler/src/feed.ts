import { type core, isPodTerminal } from '@flotilla/api';
import type { Caches } from './caches.js';
import type { Cluster } from './model/cluster.js';
import { type PodInfo, podInfo } from './model/pod-info.js';
import type { SchedulingQueue } from './queue.js';

/** The name by which pods ask for this scheduler. */
export const schedulerName = 'default-scheduler';

const isOurs = (pod: core.Pod): boolean => (pod.spec.schedulerName ?? schedulerName) === schedulerName;
const isWaiting = (pod: core.Pod): boolean =>
  isOurs(pod) && !pod.spec.nodeName && !isPodTerminal(pod) && pod.metadata.deletionTimestamp === undefined;
const isGated = (pod: core.Pod): boolean => (pod.spec.schedulingGates ?? []).length > 0;

/** Keeps the cluster's picture and the queue in step with the caches. Returns the way to stop. */
export function feedScheduler(
  caches: Caches,
  cluster: Cluster,
  queue: SchedulingQueue,
  holdBack: (pod: PodInfo) => void,
): () => void {
  const listeners = [
    caches.nodes.onChange((key, now, before) => {
      cluster.setNode(key, now);
      if (now && (!before || nodeMatters(now, before))) queue.happened('node');
    }),
    caches.pods.onChange((key, now, before) => {
      cluster.setPod(key, now);
      announce(queue, now, before);
      enqueue(queue, key, now, before, holdBack);
    }),
    caches.claims.onChange(() => queue.happened('volume')),
    caches.volumes.onChange(() => queue.happened('volume')),
    caches.storageClasses.onChange(() => queue.happened('volume')),
  ];
  return () => {
    for (const stop of listeners) stop();
  };
}

/** Heartbeats change a node's status all the time and make no room. */
function nodeMatters(now: core.Node, before: core.Node): boolean {
  const facts = (node: core.Node): string =>
    JSON.stringify([node.spec.taints, node.spec.unschedulable, node.metadata.labels, node.status.allocatable]);
  return facts(now) !== facts(before);
}

function announce(queue: SchedulingQueue, now: core.Pod | undefined, before: core.Pod | undefined): void {
  const counted = (pod: core.Pod | undefined): boolean =>
    Boolean(pod?.spec.nodeName) && pod !== undefined && !isPodTerminal(pod);
  const relabelled = now && before && JSON.stringify(now.metadata.labels) !== JSON.stringify(before.metadata.labels);
  const leaving = now?.metadata.deletionTimestamp !== before?.metadata.deletionTimestamp;
  if (counted(before) && (!counted(now) || relabelled || leaving)) queue.happened('pod-removed');
  if (counted(now) && (!counted(before) || relabelled)) queue.happened('pod-added');
}

function enqueue(
  queue: SchedulingQueue,
  key: string,
  now: core.Pod | undefined,
  before: core.Pod | undefined,
  holdBack: (pod: PodInfo) => void,
): void {
  if (!now || !isWaiting(now)) return queue.remove(key);
  const info = podInfo(now);
  if (isGated(now)) {
    queue.remove(key);
    if (!before) holdBack(info);
    return;
  }
  // A change of status alone (our own condition) is no reason to try again.
  const known =
    before !== undefined && before.metadata.uid === now.metadata.uid && isWaiting(before) && !isGated(before);
  if (!known) queue.add(info);
  else if (!changesPlacement(now, before)) queue.refresh(info);
  else queue.add(info);
}

function changesPlacement(now: core.Pod, before: core.Pod): boolean {
  const facts = (pod: core.Pod): string =>
    JSON.stringify([pod.spec, pod.metadata.labels, pod.metadata.annotations, pod.metadata.ownerReferences]);
  return facts(now) !== facts(before);
}
