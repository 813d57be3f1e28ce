import type { Entry, Expired, StoreEvent } from './port.js';

/** An event as the window keeps it. `previousRevision` lets a list of the past restore the entry. */
export interface KeptEvent<T> extends StoreEvent<T> {
  readonly previousRevision?: number;
  readonly bytes: number;
}

/** Index of the first element for which `isAfter` holds; the array must be ordered by it. */
function lowerBound<E>(array: readonly E[], isAfter: (element: E) => boolean): number {
  let low = 0;
  let high = array.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isAfter(array[middle]!)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/**
 * The entries of one resource in key order, and the newest events about them.
 *
 * Invariants: `#keys` is sorted and holds exactly the keys of `#entries`; events are in revision order; every event about
 * this resource with a revision above `floor` is kept.
 */
export class Bucket<T> {
  readonly #entries = new Map<string, Entry<T>>();
  readonly #keys: string[] = [];
  #events: KeptEvent<T>[] = [];
  /** Number of events dropped so far; `#events[i]` has the absolute index `#dropped + i`. */
  #dropped = 0;
  #waiting: (() => void)[] = [];
  /** The revision of the newest event that was dropped, or the one that the bucket started from. */
  floor: number;

  constructor(floor: number) {
    this.floor = floor;
  }

  get(key: string): Entry<T> | undefined {
    return this.#entries.get(key);
  }

  put(entry: Entry<T>): void {
    if (!this.#entries.has(entry.key)) {
      this.#keys.splice(
        lowerBound(this.#keys, (key) => key > entry.key),
        0,
        entry.key,
      );
    }
    this.#entries.set(entry.key, entry);
  }

  remove(key: string): void {
    if (!this.#entries.delete(key)) return;
    this.#keys.splice(
      lowerBound(this.#keys, (other) => other >= key),
      1,
    );
  }

  list(prefix: string): Entry<T>[] {
    const found: Entry<T>[] = [];
    for (let i = lowerBound(this.#keys, (key) => key >= prefix); i < this.#keys.length; i++) {
      const key = this.#keys[i]!;
      if (!key.startsWith(prefix)) break;
      found.push(this.#entries.get(key)!);
    }
    return found;
  }

  /** The list as it was after the write of `revision`: the events since then, undone. */
  listAt(prefix: string, revision: number): Entry<T>[] | Expired {
    if (revision < this.floor) return 'expired';
    const then = new Map(this.list(prefix).map((entry) => [entry.key, entry]));
    for (let i = this.#events.length - 1; i >= 0; i--) {
      const event = this.#events[i]!;
      if (event.revision <= revision) break;
      if (!event.key.startsWith(prefix)) continue;
      if (event.previous === undefined) then.delete(event.key);
      else then.set(event.key, { key: event.key, value: event.previous, revision: event.previousRevision! });
    }
    return [...then.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  append(event: KeptEvent<T>): void {
    this.#events.push(event);
    this.wake();
  }

  /** Forgets the oldest event. */
  drop(): void {
    const event = this.#events[0];
    if (!event) return;
    this.floor = event.revision;
    this.#dropped++;
    this.#events.shift();
  }

  /** The absolute index of the first event above `revision`. */
  indexAfter(revision: number): number {
    return this.#dropped + lowerBound(this.#events, (event) => event.revision > revision);
  }

  /** The event at an absolute index; `undefined` at the end, `'expired'` if it was dropped. */
  at(index: number): KeptEvent<T> | undefined | Expired {
    return index < this.#dropped ? 'expired' : this.#events[index - this.#dropped];
  }

  /** Calls back once when an event arrives or `wake` is called. */
  onceWoken(fn: () => void): void {
    this.#waiting.push(fn);
  }

  forget(fn: () => void): void {
    this.#waiting = this.#waiting.filter((other) => other !== fn);
  }

  wake(): void {
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const fn of waiting) fn();
  }
}
