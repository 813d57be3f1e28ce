/** Turns values into bytes and back. The store never looks into a value; the value carries its own revision. */
export interface StoreCodec<T> {
  encode(value: T): Uint8Array;
  /** The value that `encode` wrote, carrying `revision`. */
  decode(bytes: Uint8Array, revision: number): T;
  /** A copy of `value` carrying `revision`; may share structure, must leave its argument as it is. */
  stamp(value: T, revision: number): T;
}

/** What a key holds. Values are shared by all readers: treat them as immutable. */
export interface Entry<T> {
  /** See `keys.ts`, e.g. `/core/pods/default/web`. */
  readonly key: string;
  readonly value: T;
  /** Revision of the write that made the key hold this value. */
  readonly revision: number;
}

export interface StoreEvent<T> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly key: string;
  /** After the write; for DELETED the last value, carrying the deletion's revision. */
  readonly value: T;
  /** Before the write, carrying its own revision; absent for ADDED. */
  readonly previous?: T;
  readonly revision: number;
}

export interface WriteOp<T> {
  key: string;
  /** `undefined` deletes. */
  value: T | undefined;
  /** The revision that the key must have now; 0: it must not exist. Absent: whatever it is. */
  expect?: number;
}

/**
 * The write is durable at `revision` and readable (`value` carries it; for a delete it is the final value), or nothing
 * was written because the key is at revision `conflict` (0: it does not exist; also the answer to deleting nothing).
 */
export type WriteResult<T> = { revision: number; value: T } | { conflict: number };

/** The window no longer reaches back to that revision: list again. */
export type Expired = 'expired';
/** That revision has not happened yet (here). */
export type Future = 'future';

/**
 * A place in the event window. Events are pulled, so a slow reader costs no memory; one that falls out of the window
 * learns it by `'expired'`.
 */
export interface WatchCursor<T> {
  /** All events under the prefix up to this revision have been returned. Never ahead of them; good for bookmarks. */
  readonly revision: number;
  /**
   * The next events in revision order, at least one; waits for them. Rejects with the signal's reason when it aborts,
   * and with `StoreClosed` when the store ends.
   */
  next(signal?: AbortSignal): Promise<readonly StoreEvent<T>[] | Expired>;
}

/**
 * A revisioned, watchable store. One global revision grows with every write. Reads are served from memory and reflect
 * every write this process has been told is done.
 */
export interface Store<T> {
  /** The newest revision that reads reflect. */
  revision(): number;
  get(key: string): Entry<T> | undefined;
  /** All entries whose key starts with `prefix`, in key order, as of `revision`. */
  list(prefix: string): { revision: number; entries: Entry<T>[] };
  /** The same as of an earlier revision, while the window reaches back to it: pages of one list agree. */
  listAt(prefix: string, revision: number): Entry<T>[] | Expired | Future;
  /**
   * Compare and set. Rejects with `ObjectTooLarge`, `NotWriter` (nothing written) or `StoreUnavailable` (see its
   * `outcome`).
   */
  write(op: WriteOp<T>): Promise<WriteResult<T>>;
  /** Events under `prefix` with a revision greater than `fromRevision`. */
  watch(prefix: string, fromRevision: number): WatchCursor<T> | Expired | Future;
  /** Resolves once `revision()` has reached `revision`; rejects with the signal's reason or `StoreClosed`. */
  waitFor(revision: number, signal?: AbortSignal): Promise<void>;
  /** Ends all waits with `StoreClosed`. */
  close(): Promise<void>;
}

/** Bounds of the event window. */
export interface WindowOptions {
  /** Events kept; 10 000 if absent. */
  maxEvents?: number;
  /** Encoded bytes of the values kept; 64 MiB if absent. */
  maxBytes?: number;
}
