import { getCondition, isConditionTrue } from './conditions.js';
import type * as core from './gen/core-v1.js';
import { Quantity, tryQuantity } from './quantity.js';
import { parseTime } from './time.js';

/** An init container that keeps running beside the others: a native sidecar. */
export function isSidecar(container: core.Container): boolean {
  return container.restartPolicy === 'Always';
}

export function isPodReady(pod: core.Pod): boolean {
  return isConditionTrue(pod.status?.conditions, 'Ready');
}

/** Ready for at least `minReadySeconds` at `now` (milliseconds since the epoch). */
export function isPodAvailable(pod: core.Pod, minReadySeconds: number, now: number): boolean {
  if (!isPodReady(pod)) return false;
  if (minReadySeconds === 0) return true;
  const since = parseTime(getCondition(pod.status.conditions, 'Ready')?.lastTransitionTime);
  return since !== undefined && since + minReadySeconds * 1000 <= now;
}

/** Succeeded or Failed: no container will run again. */
export function isPodTerminal(pod: core.Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
}

/** Neither terminal nor being deleted (upstream's `IsPodActive`). */
export function isPodActive(pod: core.Pod): boolean {
  return !isPodTerminal(pod) && pod.metadata.deletionTimestamp === undefined;
}

/** Whether a toleration covers a taint (v1helper.ToleratesTaint). */
export function tolerates(toleration: core.Toleration, taint: core.Taint): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false;
  if (toleration.key && toleration.key !== taint.key) return false;
  if (toleration.operator === 'Exists') return true;
  if (!toleration.key) return false;
  return (toleration.value ?? '') === (taint.value ?? '');
}

export function containerStatusOf(pod: core.Pod, name: string): core.ContainerStatus | undefined {
  const of = (list: core.ContainerStatus[] | undefined): core.ContainerStatus | undefined =>
    list?.find((s) => s.name === name);
  return of(pod.status?.containerStatuses) ?? of(pod.status?.initContainerStatuses);
}

interface Tally {
  unknown: number;
  running: number;
  waiting: number;
  stopped: number;
  succeeded: number;
}

/** Regular init containers: those still to come, and whether one has failed. */
function tallyInit(pod: core.Pod): { pending: number; failed: number } {
  const tally = { pending: 0, failed: 0 };
  for (const container of pod.spec.initContainers ?? []) {
    if (isSidecar(container)) continue;
    const status = pod.status.initContainerStatuses?.find((s) => s.name === container.name);
    const ended = status?.state.terminated ?? (status?.state.waiting && status.lastState.terminated);
    if (!ended) tally.pending++;
    else if (ended.exitCode !== 0) tally.failed++;
  }
  return tally;
}

/** Sidecars count while they start; once terminated they do not matter to the phase. Returns those still starting. */
function tallySidecars(pod: core.Pod, tally: Tally): number {
  let starting = 0;
  for (const container of pod.spec.initContainers ?? []) {
    if (!isSidecar(container)) continue;
    const status = pod.status.initContainerStatuses?.find((s) => s.name === container.name);
    if (!status) tally.unknown++;
    else if (status.state.running) {
      if (status.started !== true) starting++;
      tally.running++;
    } else if (status.state.terminated || (status.state.waiting && status.lastState.terminated)) continue;
    else {
      starting++;
      tally[status.state.waiting ? 'waiting' : 'unknown']++;
    }
  }
  return starting;
}

function tallyContainers(pod: core.Pod, tally: Tally): void {
  for (const container of pod.spec.containers) {
    const status = pod.status.containerStatuses?.find((s) => s.name === container.name);
    if (status?.state.running) tally.running++;
    else if (status?.state.terminated) {
      tally.stopped++;
      if (status.state.terminated.exitCode === 0) tally.succeeded++;
    } else if (status?.state.waiting) tally[status.lastState.terminated ? 'stopped' : 'waiting']++;
    else tally.unknown++;
  }
}

/**
 * The phase that follows from the container statuses (the kubelet's `getPhase`).
 * `terminal`: the agent has decided that nothing starts again (deletion, deadline, eviction).
 * `initialized`: the init containers have all passed once, so a restarting sidecar does not make the pod Pending.
 */
export function podPhase(pod: core.Pod, options: { terminal?: boolean; initialized?: boolean } = {}): core.PodPhase {
  const init = tallyInit(pod);
  const tally: Tally = { unknown: 0, running: 0, waiting: 0, stopped: 0, succeeded: 0 };
  const starting = tallySidecars(pod, tally);
  tallyContainers(pod, tally);
  const policy = pod.spec.restartPolicy ?? 'Always';
  if (init.failed > 0 && policy === 'Never') return 'Failed';
  if (init.pending > 0 || (starting > 0 && !options.initialized) || tally.waiting > 0) return 'Pending';
  if (tally.running > 0 && tally.unknown === 0) return 'Running';
  if (tally.running === 0 && tally.stopped > 0 && tally.unknown === 0) {
    const ended = tally.stopped === tally.succeeded ? 'Succeeded' : 'Failed';
    if (options.terminal || policy === 'Never') return ended;
    return policy === 'OnFailure' && ended === 'Succeeded' ? 'Succeeded' : 'Running';
  }
  return 'Pending';
}

export type ResourceList = Record<string, Quantity>;

type Wanted = 'requests' | 'limits';

function listOf(container: { resources?: core.ResourceRequirements }, which: Wanted): ResourceList {
  const list: ResourceList = {};
  for (const [name, text] of Object.entries(container.resources?.[which] ?? {})) {
    const amount = tryQuantity(text);
    if (amount) list[name] = amount;
  }
  return list;
}

function addTo(list: ResourceList, more: ResourceList): void {
  for (const [name, amount] of Object.entries(more)) list[name] = list[name]?.add(amount) ?? amount;
}

function raiseTo(list: ResourceList, floor: ResourceList): void {
  for (const [name, amount] of Object.entries(floor)) {
    const present = list[name];
    if (!present || present.compare(amount) < 0) list[name] = amount;
  }
}

/**
 * What the pod as a whole needs, as upstream's `resourcehelper.PodRequests`: the containers and sidecars together, or
 * the greediest moment of initialisation (an init container beside the sidecars started before it) if that is more;
 * a pod-level amount replaces the sum; plus the pod's overhead.
 */
function podResources(pod: { spec: core.PodSpec }, which: Wanted): ResourceList {
  const total: ResourceList = {};
  for (const container of pod.spec.containers) addTo(total, listOf(container, which));
  const sidecars: ResourceList = {};
  const peak: ResourceList = {};
  for (const container of pod.spec.initContainers ?? []) {
    const wanted = listOf(container, which);
    if (isSidecar(container)) {
      addTo(total, wanted);
      addTo(sidecars, wanted);
      raiseTo(peak, sidecars);
    } else {
      addTo(wanted, sidecars);
      raiseTo(peak, wanted);
    }
  }
  raiseTo(total, peak);
  Object.assign(total, listOf(pod.spec, which));
  for (const [name, text] of Object.entries(pod.spec.overhead ?? {})) {
    const amount = tryQuantity(text);
    if (amount && (which === 'requests' || total[name])) addTo(total, { [name]: amount });
  }
  return total;
}

export function podRequests(pod: { spec: core.PodSpec }): ResourceList {
  return podResources(pod, 'requests');
}

export function podLimits(pod: { spec: core.PodSpec }): ResourceList {
  return podResources(pod, 'limits');
}

/** The requests a scheduler counts with: `cpu` in thousandths of a core, `memory` in bytes. 0 if not requested. */
export function resourceRequests(pod: { spec: core.PodSpec }): { cpu: number; memory: number } {
  const list = podRequests(pod);
  return { cpu: list['cpu']?.milli() ?? 0, memory: list['memory']?.value() ?? 0 };
}

/** Upstream's `ComputePodQOS`: only CPU and memory count. */
export function podQosClass(pod: { spec: core.PodSpec }): core.PodQOSClass {
  const containers = [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
  const parts: { resources?: core.ResourceRequirements }[] = pod.spec.resources ? [pod.spec] : containers;
  let any = false;
  let guaranteed = true;
  for (const part of parts) {
    const requests = listOf(part, 'requests');
    const limits = listOf(part, 'limits');
    for (const name of ['cpu', 'memory']) {
      const [request, limit] = [requests[name], limits[name]];
      if ((request && !request.isZero()) || (limit && !limit.isZero())) any = true;
      const same = limit && !limit.isZero() && (!request || request.compare(limit) === 0);
      if (!same) guaranteed = false;
    }
  }
  return !any ? 'BestEffort' : guaranteed ? 'Guaranteed' : 'Burstable';
}
