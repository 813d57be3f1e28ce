import { backoffDelay, type BackoffOptions, type Clock, type Timer } from '@flotilla/base';
import type { Hint } from './filters/filter.js';
import { Heap } from './heap.js';
import type { PodInfo } from './model/pod-info.js';

/** One try to place a pod. */
export interface Attempt {
  pod: PodInfo;
  /** How many tries there have been, this one included. */
  attempts: number;
  /** When it first came, for the order among equals. */
  since: number;
  /** Order of arrival, among those that came at the same time. */
  order: number;
}

interface Queued extends Attempt {
  /** Not to be tried again before, by the monotonic clock. */
  notBefore: number;
  /** What would make another try worth while; empty: anything. */
  hints: ReadonlySet<Hint>;
}

/** A pod that nothing moved for this long is tried again all the same (upstream's flush of unschedulable pods). */
const flushMs = 5 * 60_000;

/**
 * Pods that wait for a node. Active ones are tried now, the highest priority first, then the oldest; unschedulable ones
 * wait for an event that may help them, and after it for the end of their back-off.
 */
export class SchedulingQueue {
  readonly #clock: Clock;
  readonly #backoff: BackoffOptions;
  readonly #ready: () => void;
  #arrivals = 0;
  readonly #active = new Map<string, Queued>();
  readonly #order = new Heap<Queued>(comesBefore);
  readonly #backingOff = new Map<string, { queued: Queued; timer: Timer }>();
  readonly #unschedulable = new Map<string, { queued: Queued; timer: Timer }>();

  /** `ready` is called when a pod has become active. */
  constructor(clock: Clock, backoff: BackoffOptions, ready: () => void) {
    this.#clock = clock;
    this.#backoff = backoff;
    this.#ready = ready;
  }

  get length(): number {
    return this.#active.size;
  }

  /** A new pod, or one whose specification changed: it is tried at once. */
  add(pod: PodInfo): void {
    const found = this.#find(pod.key);
    const present = found?.pod.uid === pod.uid ? found : undefined;
    this.remove(pod.key);
    const since = present?.since ?? this.#clock.monotonic();
    const order = present?.order ?? this.#arrivals++;
    this.#activate({ pod, since, order, attempts: present?.attempts ?? 0, notBefore: 0, hints: new Set() });
  }

  /** Takes over a newer version of a waiting pod without trying it anew. False if it is not here. */
  refresh(pod: PodInfo): boolean {
    const present = this.#find(pod.key);
    if (present?.pod.uid !== pod.uid) return false;
    present.pod = pod;
    return true;
  }

  remove(key: string): void {
    this.#active.delete(key);
    this.#backingOff.get(key)?.timer.cancel();
    this.#backingOff.delete(key);
    this.#unschedulable.get(key)?.timer.cancel();
    this.#unschedulable.delete(key);
  }

  /** The next pod to try; it is out of the queue then. */
  pop(): Attempt | undefined {
    for (;;) {
      const queued = this.#order.pop();
      if (!queued) return undefined;
      // What was removed or replaced meanwhile stays in the heap until it comes up.
      if (this.#active.get(queued.pod.key) !== queued) continue;
      this.#active.delete(queued.pod.key);
      return { pod: queued.pod, attempts: queued.attempts + 1, since: queued.since, order: queued.order };
    }
  }

  /** No node will do now. */
  putUnschedulable(attempt: Attempt, hints: ReadonlySet<Hint>): void {
    const { pod } = attempt;
    this.remove(pod.key);
    const queued = { ...attempt, notBefore: this.#notBefore(attempt.attempts), hints };
    const timer = this.#clock.after(flushMs, () => this.#move(pod.key));
    this.#unschedulable.set(pod.key, { queued, timer });
  }

  /** Something broke; the pod itself may fit. */
  putBack(attempt: Attempt): void {
    this.remove(attempt.pod.key);
    this.#backOff({ ...attempt, notBefore: this.#notBefore(attempt.attempts), hints: new Set() });
  }

  /** Something happened that may help pods waiting for it. */
  happened(hint: Hint): void {
    for (const [key, { queued }] of this.#unschedulable) {
      if (queued.hints.size === 0 || queued.hints.has(hint)) this.#move(key);
    }
  }

  stop(): void {
    for (const { timer } of [...this.#backingOff.values(), ...this.#unschedulable.values()]) timer.cancel();
    this.#active.clear();
    this.#backingOff.clear();
    this.#unschedulable.clear();
  }

  #find(key: string): Queued | undefined {
    return this.#active.get(key) ?? this.#backingOff.get(key)?.queued ?? this.#unschedulable.get(key)?.queued;
  }

  #notBefore(attempts: number): number {
    return this.#clock.monotonic() + backoffDelay(this.#backoff, attempts);
  }

  #move(key: string): void {
    const waiting = this.#unschedulable.get(key);
    if (!waiting) return;
    waiting.timer.cancel();
    this.#unschedulable.delete(key);
    this.#backOff(waiting.queued);
  }

  #backOff(queued: Queued): void {
    const wait = queued.notBefore - this.#clock.monotonic();
    if (wait <= 0) return this.#activate(queued);
    const { key } = queued.pod;
    const timer = this.#clock.after(wait, () => {
      const present = this.#backingOff.get(key);
      this.#backingOff.delete(key);
      if (present) this.#activate(present.queued);
    });
    this.#backingOff.set(key, { queued, timer });
  }

  #activate(queued: Queued): void {
    this.#active.set(queued.pod.key, queued);
    this.#order.push(queued);
    this.#ready();
  }
}

function comesBefore(a: Queued, b: Queued): boolean {
  if (a.pod.priority !== b.pod.priority) return a.pod.priority > b.pod.priority;
  return a.since !== b.since ? a.since < b.since : a.order < b.order;
}
