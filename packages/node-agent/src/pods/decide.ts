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
    const init = this.#init();
    if (init === 'failed') return this.#wind(this.#sidecars(), this.#grace());
    if (init === 'pending') return;
    this.plan.initialized = true;
    const alive = this.#spec.containers.filter((container) => this.#keep(container));
    if (alive.length > 0) return;
    // Only sidecars are left: they have nobody to serve.
    this.#wind(this.#sidecars(), this.#grace());
  }

  /** Towards the end: everything but the sidecars at once, then those from the last to the first. */
  end(deadline: number): void {
    const grace = Math.max(0, (deadline - this.#now) / 1000);
    const sidecars = this.#sidecars();
    const others = [...this.#spec.containers, ...(this.#spec.initContainers ?? []).filter((c) => !isSidecar(c))];
    if (this.#stopAll(others, grace)) return;
    this.#wind(sidecars, grace);
  }

  #init(): 'done' | 'pending' | 'failed' {
    for (const container of this.#spec.initContainers ?? []) {
      const record = this.#record(container);
      if (isSidecar(container)) {
        this.#keep(container);
        // A sidecar that restarts later on does not hold up what already runs.
        if (!this.#pod.initialized && !(record?.state === 'running' && record.started)) return 'pending';
        continue;
      }
      if (this.#pod.initialized) continue;
      if (record?.state === 'ended' && record.ended?.code === 0) continue;
      if (this.#keep(container)) return 'pending';
      return 'failed';
    }
    return 'done';
  }

  /** Sees to it that the container runs, if it is to; false if it has ended for good. */
  #keep(container: core.Container): boolean {
    const record = this.#record(container);
    if (record?.state === 'running' || record?.state === 'starting') return true;
    if (record?.state === 'ended' && record.ended && !this.#mayRestart(container, record.ended.code)) return false;
    const at = record && nextStart(record, this.#backoff);
    if (at !== undefined && at > this.#now) this.#wake(at);
    else this.plan.actions.push({ do: 'start', container: container.name });
    return true;
  }

  #mayRestart(container: core.Container, code: number): boolean {
    const isInit = this.#spec.initContainers?.includes(container) === true;
    // An init container that has passed is done; one that failed is tried again unless the pod says Never.
    if (isInit && !isSidecar(container)) return code !== 0 && this.#spec.restartPolicy !== 'Never';
    return restarts(this.#spec.restartPolicy, container, code);
  }

  /** Stops sidecars in reverse order, one after the other; then the pod is finished. */
  #wind(sidecars: core.Container[], grace: number): void {
    for (const sidecar of sidecars.toReversed()) if (this.#stopAll([sidecar], grace)) return;
    this.plan.finished = true;
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

  #sidecars(): core.Container[] {
    return (this.#spec.initContainers ?? []).filter(isSidecar);
  }

  #grace(): number {
    return this.#spec.terminationGracePeriodSeconds ?? 30;
  }

  #record(container: core.Container): ContainerRecord | undefined {
    return this.#pod.containers[container.name];
  }

  #wake(at: number): void {
    this.plan.wakeAt = Math.min(this.plan.wakeAt ?? at, at);
  }
}
