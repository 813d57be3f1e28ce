import {
  type core,
  formatTime,
  getCondition,
  isConditionTrue,
  isSidecar,
  podPhase,
  podQosClass,
  setCondition,
} from '@flotilla/api';
import type { BackoffOptions } from '@flotilla/base';
import { crashDelay, nextStart, restarts } from './decide.js';
import { type ContainerRecord, type Ended, newRecord, type PodRecord } from './observed.js';

export interface StatusInput {
  pod: core.Pod;
  record: PodRecord;
  hostIP: string;
  backoff: BackoffOptions;
  /** Milliseconds since the epoch. */
  now: number;
}

/** The status as the kubelet would report it. Conditions that are others' (readiness gates, scheduler's) are kept. */
export function podStatus(input: StatusInput): core.PodStatus {
  const { pod, record, hostIP } = input;
  const status: core.PodStatus = {
    phase: 'Pending',
    qosClass: podQosClass(pod),
    hostIP,
    hostIPs: [{ ip: hostIP }],
    startTime: formatTime(record.startTime),
    ...(record.podIP === undefined ? {} : { podIP: record.podIP, podIPs: [{ ip: record.podIP }] }),
    containerStatuses: pod.spec.containers.map((container) => containerStatus(input, container, false)),
    ...(pod.spec.initContainers?.length
      ? { initContainerStatuses: pod.spec.initContainers.map((container) => containerStatus(input, container, true)) }
      : {}),
    ...(pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
  };
  status.phase = phaseOf(input, status);
  const failure = record.termination?.failure;
  if (failure) Object.assign(status, failure);
  status.conditions = conditions(input, status);
  return status;
}

function phaseOf({ pod, record }: StatusInput, status: core.PodStatus): core.PodPhase {
  const before = pod.status?.phase;
  // What has ended for good stays so.
  if (before === 'Failed' || before === 'Succeeded') return before;
  if (record.termination?.failure) return 'Failed';
  const phase = podPhase({ ...pod, status }, { terminal: record.finished, initialized: record.initialized });
  if (!record.finished || phase === 'Succeeded' || phase === 'Failed') return phase;
  // Finished before its containers ever ran: deleted while it waited.
  return record.termination ? (status.containerStatuses?.some((s) => s.state.terminated) ? 'Failed' : phase) : phase;
}

function containerStatus(input: StatusInput, container: core.Container, init: boolean): core.ContainerStatus {
  const record = input.record.containers[container.name] ?? newRecord();
  const state = containerState(input, container, record, init);
  // While a container waits to begin again, its end is the last state, not the present one.
  const last = state.terminated ? record.previous : (record.ended ?? record.previous);
  return {
    name: container.name,
    image: container.image ?? '',
    imageID: record.imageID ?? '',
    ...(record.containerID === undefined ? {} : { containerID: record.containerID }),
    restartCount: record.restarts,
    ready: isReady(container, record, init),
    started: record.state === 'running' && record.started,
    state,
    lastState: last ? { terminated: terminated(last) } : {},
  };
}

function isReady(container: core.Container, record: ContainerRecord, init: boolean): boolean {
  // An ordinary init container is "ready" once it has passed.
  if (init && !isSidecar(container)) return record.state === 'ended' && record.ended?.code === 0;
  return record.state === 'running' && record.started && record.ready;
}

function containerState(
  input: StatusInput,
  container: core.Container,
  record: ContainerRecord,
  init: boolean,
): core.ContainerState {
  if (record.state === 'running') {
    return { running: record.startedAt === undefined ? {} : { startedAt: formatTime(record.startedAt) } };
  }
  if (record.state === 'ended' && record.ended) {
    return backingOff(input, container, record, init) ?? { terminated: terminated(record.ended) };
  }
  return { waiting: record.waiting ?? waitingFor(input, init) };
}

function waitingFor({ pod, record }: StatusInput, init: boolean): core.ContainerStateWaiting {
  const initializing = !init && !record.initialized && (pod.spec.initContainers?.length ?? 0) > 0;
  return { reason: initializing ? 'PodInitializing' : 'ContainerCreating' };
}

/** CrashLoopBackOff, or the obstacle to the next start, if the container is to begin again but not yet. */
function backingOff(
  { pod, record: podRecord, backoff, now }: StatusInput,
  container: core.Container,
  record: ContainerRecord,
  init: boolean,
): core.ContainerState | undefined {
  if (podRecord.termination || podRecord.finished || !record.ended) return undefined;
  const again =
    init && !isSidecar(container)
      ? record.ended.code !== 0 && pod.spec.restartPolicy !== 'Never'
      : restarts(pod.spec.restartPolicy, container, record.ended.code);
  if (!again) return undefined;
  if (record.waiting) return { waiting: record.waiting };
  const at = nextStart(record, backoff);
  if (at === undefined || at <= now) return undefined;
  const delay = crashDelay(backoff, record.crashes);
  return { waiting: { reason: 'CrashLoopBackOff', message: backOffMessage(pod, container.name, delay) } };
}

/** Upstream's words, e.g. `back-off 10s restarting failed container=app pod=web-1_default(uid)`. */
export function backOffMessage(pod: core.Pod, container: string, delayMs: number): string {
  const { name, namespace, uid } = pod.metadata;
  return `back-off ${goDuration(delayMs)} restarting failed container=${container} pod=${name}_${namespace}(${uid})`;
}

/** As Go prints a duration of whole seconds: `10s`, `1m20s`, `5m0s`. */
export function goDuration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m${seconds % 60}s`;
  return `${Math.floor(seconds / 3600)}h${Math.floor((seconds % 3600) / 60)}m${seconds % 60}s`;
}

function terminated(ended: Ended): core.ContainerStateTerminated {
  return {
    exitCode: ended.code,
    reason: ended.reason,
    ...(ended.message ? { message: ended.message } : {}),
    ...(ended.startedAt > 0 ? { startedAt: formatTime(ended.startedAt) } : {}),
    finishedAt: formatTime(ended.finishedAt),
    ...(ended.containerID === undefined ? {} : { containerID: ended.containerID }),
  };
}

type Verdict = Pick<core.PodCondition, 'status' | 'reason' | 'message'>;
const yes: Verdict = { status: 'True' };
const no = (reason: string, message?: string): Verdict =>
  message === undefined ? { status: 'False', reason } : { status: 'False', reason, message };

function conditions(input: StatusInput, status: core.PodStatus): core.PodCondition[] {
  const { pod, record, now } = input;
  const verdicts: [string, Verdict][] = [
    ['PodReadyToStartContainers', record.prepared && !record.finished ? yes : { status: 'False' }],
    ['Initialized', initialized(input, status)],
    ['Ready', ready(input, status)],
    ['ContainersReady', containersReady(input, status)],
    ['PodScheduled', yes],
  ];
  let list = pod.status?.conditions ?? [];
  for (const [type, verdict] of verdicts) {
    const generation = pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation };
    list = setCondition(list, { type, ...generation, ...verdict }, formatTime(now));
  }
  return list;
}

function initialized({ pod, record }: StatusInput, status: core.PodStatus): Verdict {
  if (status.phase === 'Succeeded') return { status: 'True', reason: 'PodCompleted' };
  const waiting = (pod.spec.initContainers ?? []).filter((container) => {
    const of = record.containers[container.name];
    return isSidecar(container) ? of?.started !== true : of?.state !== 'ended' || of.ended?.code !== 0;
  });
  if (record.initialized || waiting.length === 0) return yes;
  const names = waiting.map((container) => container.name).join(' ');
  return no('ContainersNotInitialized', `containers with incomplete status: [${names}]`);
}

function containersReady({ pod, record }: StatusInput, status: core.PodStatus): Verdict {
  if (status.phase === 'Succeeded') return no('PodCompleted');
  if (status.phase === 'Failed') return no('PodFailed');
  const relevant = [...(pod.spec.initContainers ?? []).filter(isSidecar), ...pod.spec.containers];
  const unready = relevant.filter((container) => {
    const of = record.containers[container.name];
    return !of || !isReady(container, of, false);
  });
  if (unready.length === 0) return yes;
  return no('ContainersNotReady', `containers with unready status: [${unready.map((c) => c.name).join(' ')}]`);
}

function ready(input: StatusInput, status: core.PodStatus): Verdict {
  const verdict = containersReady(input, status);
  if (verdict.status !== 'True') return verdict;
  const given = input.pod.status?.conditions;
  const closed = (input.pod.spec.readinessGates ?? []).filter((gate) => !isConditionTrue(given, gate.conditionType));
  if (closed.length === 0) return yes;
  const messages = closed.map(({ conditionType }) =>
    getCondition(given, conditionType)
      ? `the status of pod readiness gate "${conditionType}" is not "True", but ${getCondition(given, conditionType)!.status}`
      : `corresponding condition of pod readiness gate "${conditionType}" does not exist.`,
  );
  return no('ReadinessGatesNotReady', messages.join(', '));
}
