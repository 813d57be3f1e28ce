import { getCondition, isConditionTrue } from '../conditions.js';
import type * as core from '../gen/core-v1.js';
import type * as meta from '../gen/meta-v1.js';
import { isSidecar } from '../pods.js';
import { humanDuration, parseTime } from '../time.js';
import { ageColumn, type Cell, column, nameColumn, nameOf, none, objectAge, type Printer, wide } from './columns.js';

/** What the containers of a pod come to; a plain reading of upstream's `printPod`. */
interface Summary {
  reason: string;
  ready: number;
  total: number;
  restarts: number;
  /** When a container last ended before it was restarted, in milliseconds; 0 if never. */
  lastRestart: number;
}

interface Restarts {
  count: number;
  last: number;
}

function countRestarts(into: Restarts, status: core.ContainerStatus): void {
  into.count += status.restartCount ?? 0;
  into.last = Math.max(into.last, parseTime(status.lastState?.terminated?.finishedAt) ?? 0);
}

function endReason(ended: core.ContainerStateTerminated): string {
  if (ended.reason) return ended.reason;
  return ended.signal ? `Signal:${ended.signal}` : `ExitCode:${ended.exitCode}`;
}

/** The reason why initialisation is not over, or undefined if this init container is done or a started sidecar. */
function initReason(status: core.ContainerStatus, sidecar: boolean, index: number, total: number): string | undefined {
  const { terminated, waiting } = status.state ?? {};
  if (terminated?.exitCode === 0) return undefined;
  if (sidecar && status.started) return undefined;
  if (terminated) return `Init:${endReason(terminated)}`;
  if (waiting?.reason && waiting.reason !== 'PodInitializing') return `Init:${waiting.reason}`;
  return `Init:${index}/${total}`;
}

export function summarize(pod: core.Pod): Summary {
  const { spec } = pod;
  const status: core.PodStatus = pod.status ?? {};
  const initContainers = spec.initContainers ?? [];
  const sidecars = new Set(initContainers.filter(isSidecar).map((c) => c.name));
  const all: Restarts = { count: 0, last: 0 };
  const ofSidecars: Restarts = { count: 0, last: 0 };
  let reason = status.reason || status.phase || '';
  if (getCondition(status.conditions, 'PodScheduled')?.reason === 'SchedulingGated') reason = 'SchedulingGated';
  let ready = 0;
  let initializing = false;
  for (const [i, container] of (status.initContainerStatuses ?? []).entries()) {
    const sidecar = sidecars.has(container.name);
    countRestarts(all, container);
    if (sidecar) countRestarts(ofSidecars, container);
    const why = initReason(container, sidecar, i, initContainers.length);
    if (why !== undefined) {
      reason = why;
      initializing = true;
      break;
    }
    if (sidecar && container.ready && container.state?.terminated === undefined) ready++;
  }
  const total = spec.containers.length + sidecars.size;
  if (initializing && !isConditionTrue(status.conditions, 'Initialized')) {
    return { reason, ready, total, restarts: all.count, lastRestart: all.last };
  }
  const main = summarizeContainers(status, reason, ofSidecars);
  return { ...main, ready: ready + main.ready, total };
}

/** From the last container to the first, so that the first one's trouble is what shows. */
function summarizeContainers(status: core.PodStatus, phase: string, restarts: Restarts): Omit<Summary, 'total'> {
  let reason = phase;
  let ready = 0;
  let running = false;
  for (const container of [...(status.containerStatuses ?? [])].reverse()) {
    countRestarts(restarts, container);
    const { waiting, terminated, running: run } = container.state ?? {};
    if (waiting?.reason) reason = waiting.reason;
    else if (terminated) reason = endReason(terminated);
    else if (container.ready && run) {
      running = true;
      ready++;
    }
  }
  if (reason === 'Completed' && running) reason = isConditionTrue(status.conditions, 'Ready') ? 'Running' : 'NotReady';
  return { reason, ready, restarts: restarts.count, lastRestart: restarts.last };
}

/** The text of the STATUS column. */
export function podReason(pod: core.Pod, summary: Summary): string {
  if (pod.metadata.deletionTimestamp === undefined) return summary.reason;
  if (pod.status?.reason === 'NodeLost') return 'Unknown';
  const terminal = pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
  return terminal ? summary.reason : 'Terminating';
}

function cells(pod: core.Pod, now: number): Cell[] {
  const summary = summarize(pod);
  const { restarts, lastRestart } = summary;
  const since = restarts !== 0 && lastRestart > 0 ? ` (${humanDuration(now - lastRestart)} ago)` : '';
  return [
    nameOf(pod),
    `${summary.ready}/${summary.total}`,
    podReason(pod, summary),
    `${restarts}${since}`,
    objectAge(pod, now),
    pod.status?.podIPs?.[0]?.ip || pod.status?.podIP || none,
    pod.spec.nodeName || none,
    pod.status?.nominatedNodeName || none,
    gates(pod),
  ];
}

function gates(pod: core.Pod): string {
  const all = pod.spec.readinessGates ?? [];
  if (all.length === 0) return none;
  const open = all.filter((gate) => isConditionTrue(pod.status?.conditions, gate.conditionType));
  return `${open.length}/${all.length}`;
}

/** Lets `kubectl get` grey out what has ended. */
function conditions(pod: core.Pod): meta.TableRowCondition[] | undefined {
  const phase = pod.status?.phase;
  const message =
    phase === 'Succeeded' ? 'The pod has completed successfully.' : phase === 'Failed' ? 'The pod failed.' : undefined;
  return message && phase ? [{ type: 'Completed', status: 'True', reason: phase, message }] : undefined;
}

export const podPrinter: Printer = {
  columns: [
    nameColumn,
    column('Ready', 'string', 'The aggregate readiness state of this pod for accepting traffic.'),
    column('Status', 'string', 'The aggregate status of the containers in this pod.'),
    column(
      'Restarts',
      'string',
      'The number of times the containers in this pod have been restarted and when the last container in this pod has restarted.',
    ),
    ageColumn,
    wide('IP', 'string', 'The address of the pod.'),
    wide('Node', 'string', 'The node that the pod runs on.'),
    wide('Nominated Node', 'string', 'The node that is kept free for the pod by preemption.'),
    wide('Readiness Gates', 'string', 'The conditions that must hold before the pod is ready.'),
  ],
  cells,
  conditions,
};
