import { type BackoffOptions, backoffDelay } from './backoff.js';
import type { Clock, Timer } from './clock.js';

/** What one reconciliation of a key came to. */
export type Outcome =
  | { done: true }
  /** Look again after `retryAfter` milliseconds; not a failure, so the back-off starts anew. */
  | { retryAfter: number };

export const done: Outcome = { done: true };
export const retryAfter = (ms: number): Outcome => ({ retryAfter: ms });

export interface KeyedQueueOptions {
  clock: Clock;
  /** Called for one key at a time per key, at most `concurrency` keys at once. A rejection is retried with back-off. */
  work: (key: string) => Promise<Outcome>;
  /** 1 if absent. */
  concurrency?: number;
  /** 5 ms doubling to 30 s if absent. */
  backoff?: BackoffOptions;
  onError?: (key: string, error: unknown, retryInMs: number) => void;
}

/**
 * A coalescing work queue by key, shared by controllers and pilot.
 *
 * Invariants (client-go's workqueue): a key waits at most once however often it is added; a key is never worked on
 * twice at the same time; a key added while it is worked on is worked on once more afterwards.
 */
export class KeyedQueue {
  readonly #options: KeyedQueueOptions;
  readonly #waiting = new Set<string>();
  readonly #active = new Set<string>();
  readonly #again = new Set<string>();
  readonly #delayed = new Map<string, { due: number; timer: Timer }>();
  readonly #failures = new Map<string, number>();
  #idle: (() => void)[] = [];
  #stopped = false;

  constructor(options: KeyedQueueOptions) {
    this.#options = options;
  }

  /** Asks for `key` to be worked on as soon as possible. */
  add(key: string): void {
    if (this.#stopped) return;
    this.#cancelDelay(key);
    if (this.#active.has(key)) this.#again.add(key);
    else this.#waiting.add(key);
    this.#pump();
  }

  /** Asks for `key` to be worked on in `ms` milliseconds, or earlier if something else asks for it. */
  addAfter(key: string, ms: number): void {
    if (this.#stopped) return;
    if (ms <= 0) return this.add(key);
    const due = this.#options.clock.monotonic() + ms;
    const present = this.#delayed.get(key);
    if (present && present.due <= due) return;
    present?.timer.cancel();
    this.#delayed.set(key, { due, timer: this.#options.clock.after(ms, () => this.add(key)) });
  }

  /** Keys waiting or worked on now; delayed keys do not count. */
  get size(): number {
    return this.#waiting.size + this.#active.size;
  }

  /** Resolves when nothing waits and nothing is worked on. Delayed keys may remain. */
  whenIdle(): Promise<void> {
    return this.size === 0 ? Promise.resolve() : new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Takes no more work; resolves when what is under way has ended. */
  stop(): Promise<void> {
    this.#stopped = true;
    for (const { timer } of this.#delayed.values()) timer.cancel();
    this.#delayed.clear();
    this.#waiting.clear();
    this.#again.clear();
    return this.whenIdle();
  }

  #cancelDelay(key: string): void {
    this.#delayed.get(key)?.timer.cancel();
    this.#delayed.delete(key);
  }

  #pump(): void {
    const limit = this.#options.concurrency ?? 1;
    for (const key of this.#waiting) {
      if (this.#active.size >= limit) return;
      this.#waiting.delete(key);
      this.#active.add(key);
      void this.#run(key);
    }
  }

  async #run(key: string): Promise<void> {
    try {
      const outcome = await this.#options.work(key);
      this.#failures.delete(key);
      if ('retryAfter' in outcome) this.addAfter(key, Math.max(1, outcome.retryAfter));
    } catch (error) {
      const failures = (this.#failures.get(key) ?? 0) + 1;
      this.#failures.set(key, failures);
      const delay = backoffDelay(this.#options.backoff ?? { base: 5, max: 30_000 }, failures);
      this.#options.onError?.(key, error, delay);
      this.addAfter(key, delay);
    }
    this.#active.delete(key);
    if (this.#again.delete(key)) this.add(key);
    this.#pump();
    if (this.size === 0) {
      for (const resolve of this.#idle.splice(0)) resolve();
    }
  }
}
