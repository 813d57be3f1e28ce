import type { Clock } from '@flotilla/base';

/** After this long an unmet expectation is given up, as upstream: a lost watch event must not block a controller. */
const expectationsTimeoutMs = 5 * 60_000;

interface Expected {
  creations: number;
  deletions: Set<string>;
  since: number;
}

/**
 * What a controller has asked for and its cache has not shown yet. While something is awaited the cache is known to be
 * stale, and acting on it would create or delete twice (upstream's UIDTrackingControllerExpectations).
 */
export class Expectations {
  readonly #clock: Clock;
  readonly #expected = new Map<string, Expected>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  expectCreations(key: string, count: number): void {
    this.#expected.set(key, { creations: count, deletions: new Set(), since: this.#clock.monotonic() });
  }

  /** `uids` of the objects about to be deleted. */
  expectDeletions(key: string, uids: readonly string[]): void {
    this.#expected.set(key, { creations: 0, deletions: new Set(uids), since: this.#clock.monotonic() });
  }

  /** A creation was seen in the cache, or failed and will not be seen. */
  creationObserved(key: string): void {
    const expected = this.#expected.get(key);
    if (expected) expected.creations--;
  }

  deletionObserved(key: string, uid: string): void {
    this.#expected.get(key)?.deletions.delete(uid);
  }

  satisfied(key: string): boolean {
    const expected = this.#expected.get(key);
    if (!expected) return true;
    if (expected.creations <= 0 && expected.deletions.size === 0) return true;
    return this.#clock.monotonic() - expected.since > expectationsTimeoutMs;
  }

  forget(key: string): void {
    this.#expected.delete(key);
  }
}
