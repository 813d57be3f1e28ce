import { backoffDelay, type BackoffOptions } from '@flotilla/base';
import { type core, isSidecar } from '@flotilla/api';
import type { ContainerRecord, PodRecord } from './observed.js';

export type Action =
  | { do: 'prepare' }
  | { do: 'start'; container: string }
  /** `grace` in seconds, at least 0. */
  | { do: 'stop'; container: string; grace: number };

export interface Plan {
  actions: Action[];
  /** Milliseconds since the epoch at which to decide again even if nothing happens. */
  wakeAt?: number;
  initialized: boolean;
  /** Every container has ended and none will begin again. */
  finished: boolean;
}

/** A run this long is a success whatever came after: the back-off starts anew (kubelet: twice the longest back-off). */
const forgiveAfter = 600_000;

/** Milliseconds to wait before the next run after `crashes` ends in a row: the first restart is at once, as upstream's. */
export function crashDelay(backoff: BackoffOptions, crashes: number): number {
  return crashes <= 1 ? 0 : backoffDelay(backoff, crashes - 1);
}

/** The ends in a row once a run of this length has ended. */
export function countCrash(record: ContainerRecord, ranMs: number): number {
  return ranMs >= forgiveAfter ? 1 : record.crashes + 1;
}

export function restarts(policy: core.PodSpec['restartPolicy'], container: core.Container, code: number): boolean {
  const effective = container.restartPolicy ?? policy ?? 'Always';
  return effective === 'Always' || (effective === 'OnFailure' && code !== 0);
}

/** When the container may begin again; undefined: at once. */
export function nextStart(record: ContainerRecord, backoff: BackoffOptions): number | undefined {
  if (record.state === 'idle') return record.retryAt;
  if (record.state !== 'ended' || !record.ended) return undefined;
  const delay = crashDelay(backoff, record.crashes);
  const crashed = delay === 0 ? undefined : record.ended.finishedAt + delay;
  return record.retryAt === undefined ? crashed : Math.max(record.retryAt, crashed ?? 0);
}

/**
 * What to do next for a pod, from its spec and what is known of it alone: the kubelet's `computePodActions` and
 * `killContainersWithSyncResult`. Level-triggered: the same state gives the same plan, however it was reached.
 */
export function decide(spec: core.PodSpec, pod: PodRecord, now: number, backoff: BackoffOptions): Plan {
  const step = new Step(spec, pod, now, backoff);
  if (pod.termination) step.end(pod.termination.deadline);
  else if (!pod.finished) step.advance();
  return step.plan;
}

class Step {
  readonly plan: Plan;
  readonly #spec: core.PodSpec;
  readonly #pod: PodRecord;
  readonly #now: number;
  readonly #backoff: BackoffOptions;

  constructor(spec: core.PodSpec, pod: PodRecord, now: number, backoff: BackoffOptions) {
    this.#spec = spec;
    this.#pod = pod;
    this.#now = now;
    this.#backoff = backoff;
    this.plan = { actions: [], initialized: pod.initialized, finished: pod.finished };
  }

  /** Towards running: init containers in order, each sidecar held until it has started, then all containers at once. */
  advance(): void {
    if (!this.#pod.prepared) {
      this.plan.actions.push({ do: 'prepare' });
      return;
    }
    // Only sidecars are left: they have nobody to serve.
    if (this.#hopeless() || this.#spec.containers.every((container) => this.#isOver(container))) {
      return this.#end(this.#spec.terminationGracePeriodSeconds ?? 30);
    }
    if (!this.#init()) return;
    this.plan.initialized = true;
    for (const container of this.#spec.containers) this.#keep(container);
  }

  /** Towards the end, with the time that is left. */
  end(deadline: number): void {
    this.#end(Math.max(0, (deadline - this.#now) / 1000));
  }

  /** Everything but the sidecars at once, then those one after the other, the last first; then the pod is finished. */
  #end(grace: number): void {
    const init = this.#spec.initContainers ?? [];
    const others = [...this.#spec.containers, ...init.filter((container) => !isSidecar(container))];
    if (this.#stopAll(others, grace)) return;
    for (const sidecar of init.filter(isSidecar).toReversed()) if (this.#stopAll([sidecar], grace)) return;
    this.plan.finished = true;
  }

  /** An init container has failed and must not be tried again. */
  #hopeless(): boolean {
    if (this.#pod.initialized) return false;
    const regular = (this.#spec.initContainers ?? []).filter((container) => !isSidecar(container));
    return regular.some((container) => this.#isOver(container) && this.#record(container)?.ended?.code !== 0);
  }

  /** True once all have passed; sidecars are kept running all along. */
  #init(): boolean {
    for (const container of this.#spec.initContainers ?? []) {
      const record = this.#record(container);
      if (isSidecar(container)) {
        this.#keep(container);
        // A sidecar that restarts later on does not hold up what already runs.
        if (!this.#pod.initialized && !(record?.state === 'running' && record.started)) return false;
      } else if (!this.#pod.initialized && !(record?.state === 'ended' && record.ended?.code === 0)) {
        this.#keep(container);
        return false;
      }
    }
    return true;
  }

  /** It has ended and will not run again. */
  #isOver(container: core.Container): boolean {
    const record = this.#record(container);
    return record?.state === 'ended' && record.ended !== undefined && !this.#mayRestart(container, record.ended.code);
  }

  /** Sees to it that the container runs, if it is to. */
  #keep(container: core.Container): void {
    const record = this.#record(container);
    if (record?.state === 'running' || record?.state === 'starting' || this.#isOver(container)) return;
    const at = record && nextStart(record, this.#backoff);
    if (at !== undefined && at > this.#now) this.#wake(at);
    else this.plan.actions.push({ do: 'start', container: container.name });
  }

  #mayRestart(container: core.Container, code: number): boolean {
    const isInit = this.#spec.initContainers?.includes(container) === true;
    // An init container that has passed is done; one that failed is tried again unless the pod says Never.
    if (isInit && !isSidecar(container)) return code !== 0 && this.#spec.restartPolicy !== 'Never';
    return restarts(this.#spec.restartPolicy, container, code);
  }

  /** True while any of them is not yet over. */
  #stopAll(containers: core.Container[], grace: number): boolean {
    let busy = false;
    for (const container of containers) {
      const record = this.#record(container);
      if (record?.state !== 'running' && record?.state !== 'starting') continue;
      busy = true;
      if (record.state === 'running') this.plan.actions.push({ do: 'stop', container: container.name, grace });
    }
    return busy;
  }

  #record(container: core.Container): ContainerRecord | undefined {
    return this.#pod.containers[container.name];
  }

  #wake(at: number): void {
    this.plan.wakeAt = Math.min(this.plan.wakeAt ?? at, at);
  }
}
