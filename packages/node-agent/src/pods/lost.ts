import type { PodRecord } from './observed.js';

/**
 * After all processes of a pod have gone with the node's (a reboot, `kill -9` of everything, an orderly stop of the
 * agent), the pod begins anew within its old directory, as the kubelet makes a new sandbox: init containers run again,
 * and nobody is blamed for crashing. Call it once the containers were taken over.
 */
export function restartLostPod(pod: PodRecord): boolean {
  if (pod.termination || pod.finished || !pod.parked) return false;
  for (const record of Object.values(pod.containers)) {
    record.crashes = 0;
    record.obstacles = 0;
    delete record.retryAt;
    if (record.ended) record.previous = record.ended;
    delete record.ended;
    record.state = 'idle';
  }
  pod.initialized = false;
  pod.parked = false;
  return true;
}

/** Whether the processes went down with the node rather than one by one: none is alive, and some left no exit code. */
export function wasLost(before: PodRecord, after: PodRecord): boolean {
  const ran = Object.entries(before.containers).filter(([, record]) => record.state === 'running');
  const alive = Object.values(after.containers).some((record) => record.state === 'running');
  if (ran.length === 0 || alive) return false;
  return ran.some(([name]) => after.containers[name]?.ended?.code === 137);
}
