import { Bucket, type KeptEvent } from './bucket.js';
import { Cursor } from './cursor.js';
import { InvalidKey, StoreClosed } from './errors.js';
import { bucketOf } from './keys.js';
import type { Entry, Expired, Future, WatchCursor, WindowOptions } from './port.js';

/** One write as the log tells it. */
export interface Change<T> {
  key: string;
  /** Carries `revision`; for a deletion the final value. */
  value: T;
  deleted: boolean;
  revision: number;
  /** Encoded size. */
  bytes: number;
}

/** What an event costs beside its value; an estimate. */
const eventOverhead = 200;

/**
 * The database in memory: the present entries, and a window of the events that led to them, bounded by number and bytes.
 * Both adapters apply their changes here in revision order and serve all reads from here. Pure: it only computes.
 */
export class RevisionedCache<T> {
  readonly #maxEvents: number;
  readonly #maxBytes: number;
  readonly #buckets = new Map<string, Bucket<T>>();
  /** The bucket of every kept event, oldest first: what to drop next. */
  #order: Bucket<T>[] = [];
  #orderHead = 0;
  #sizes: number[] = [];
  #bytes = 0;
  #revision: number;
  /** Events up to here were never seen: the revision that the cache was loaded at. */
  #base: number;
  #waiting: { revision: number; resolve: () => void; reject: (error: unknown) => void }[] = [];
  #closed = false;

  constructor(revision: number, options: WindowOptions = {}) {
    this.#revision = revision;
    this.#base = revision;
    this.#maxEvents = options.maxEvents ?? 10_000;
    this.#maxBytes = options.maxBytes ?? 64 * 1024 * 1024;
  }

  get revision(): number {
    return this.#revision;
  }

  get closed(): boolean {
    return this.#closed;
  }

  get(key: string): Entry<T> | undefined {
    return this.#bucket(key).get(key);
  }

  list(prefix: string): { revision: number; entries: Entry<T>[] } {
    return { revision: this.#revision, entries: this.#bucket(prefix).list(prefix) };
  }

  listAt(prefix: string, revision: number): Entry<T>[] | Expired | Future {
    if (revision > this.#revision) return 'future';
    return this.#bucket(prefix).listAt(prefix, revision);
  }

  watch(prefix: string, fromRevision: number): WatchCursor<T> | Expired | Future {
    if (fromRevision > this.#revision) return 'future';
    const bucket = this.#bucket(prefix);
    return fromRevision < bucket.floor ? 'expired' : new Cursor(this, bucket, prefix, fromRevision);
  }

  waitFor(revision: number, signal?: AbortSignal): Promise<void> {
    if (this.#closed) return Promise.reject(new StoreClosed());
    if (revision <= this.#revision) return Promise.resolve();
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error);
      const onAbort = (): void => {
        this.#waiting = this.#waiting.filter((other) => other !== waiter);
        reject(signal!.reason as Error);
      };
      const settle =
        <A extends unknown[]>(fn: (...args: A) => void) =>
        (...args: A): void => {
          signal?.removeEventListener('abort', onAbort);
          fn(...args);
        };
      const waiter = { revision, resolve: settle(resolve), reject: settle(reject) };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiting.push(waiter);
    });
  }

  /** Takes an entry in without an event: the state that the log's replay starts from. */
  load(change: Change<T>): void {
    const bucket = this.#bucket(change.key);
    if (change.deleted) bucket.remove(change.key);
    else bucket.put({ key: change.key, value: change.value, revision: change.revision });
    this.#revision = Math.max(this.#revision, change.revision);
  }

  /** Ends loading: the window starts here, and watches from an earlier revision are `expired`. */
  loaded(revision: number): void {
    this.#revision = Math.max(this.#revision, revision);
    this.#base = this.#revision;
    for (const bucket of this.#buckets.values()) bucket.floor = this.#base;
    this.#wakeReached();
  }

  /** Applies the next change. A deletion of what is not there changes nothing but the revision. */
  apply(change: Change<T>): void {
    const { key, value, revision } = change;
    const bucket = this.#bucket(key);
    const before = bucket.get(key);
    this.#revision = Math.max(this.#revision, revision);
    if (change.deleted) bucket.remove(key);
    else bucket.put({ key, value, revision });
    if (before || !change.deleted) {
      this.#keep(bucket, {
        type: change.deleted ? 'DELETED' : before ? 'MODIFIED' : 'ADDED',
        key,
        value,
        ...(before ? { previous: before.value, previousRevision: before.revision } : {}),
        revision,
        bytes: change.bytes + eventOverhead,
      });
    }
    this.#wakeReached();
  }

  /** The log has reached `revision` without a change to any key. */
  advance(revision: number): void {
    this.#revision = Math.max(this.#revision, revision);
    this.#wakeReached();
  }

  close(): void {
    this.#closed = true;
    for (const waiter of this.#waiting.splice(0)) waiter.reject(new StoreClosed());
    for (const bucket of this.#buckets.values()) bucket.wake();
  }

  #bucket(keyOrPrefix: string): Bucket<T> {
    const name = bucketOf(keyOrPrefix);
    if (name === undefined) throw new InvalidKey(keyOrPrefix, 'a key or prefix names at least group and resource');
    let bucket = this.#buckets.get(name);
    if (!bucket) {
      bucket = new Bucket(this.#base);
      this.#buckets.set(name, bucket);
    }
    return bucket;
  }

  #keep(bucket: Bucket<T>, event: KeptEvent<T>): void {
    this.#order.push(bucket);
    this.#sizes.push(event.bytes);
    this.#bytes += event.bytes;
    while (this.#order.length - this.#orderHead > this.#maxEvents || this.#bytes > this.#maxBytes) {
      if (this.#orderHead === this.#order.length - 1) break;
      this.#order[this.#orderHead]!.drop();
      this.#bytes -= this.#sizes[this.#orderHead++]!;
    }
    if (this.#orderHead > 1024 && this.#orderHead * 2 > this.#order.length) {
      this.#order = this.#order.slice(this.#orderHead);
      this.#sizes = this.#sizes.slice(this.#orderHead);
      this.#orderHead = 0;
    }
    bucket.append(event);
  }

  #wakeReached(): void {
    if (this.#waiting.length === 0) return;
    const reached = this.#waiting.filter((waiter) => waiter.revision <= this.#revision);
    this.#waiting = this.#waiting.filter((waiter) => waiter.revision > this.#revision);
    for (const waiter of reached) waiter.resolve();
  }
}
