import { describeError, type Logger } from '@flotilla/base';
import { RevisionedCache } from '../cache.js';
import { keyOfSubject } from '../keys.js';
import type { StoreCodec, WindowOptions } from '../port.js';
import type { LogRecord } from './record.js';
import type { Tombstones } from './tombstones.js';

/** What a replica does with a record of the log: take the state in (the first replay), or tell it as an event. */
export type Mode = 'load' | 'follow';

/** The log's content in memory. */
export class Replica<T> {
  readonly cache: RevisionedCache<T>;
  readonly #codec: StoreCodec<T>;
  readonly #root: string;
  readonly #tombstones: Tombstones;
  readonly #logger: Logger;

  constructor(codec: StoreCodec<T>, root: string, tombstones: Tombstones, logger: Logger, window: WindowOptions) {
    this.#codec = codec;
    this.#root = root;
    this.#tombstones = tombstones;
    this.#logger = logger;
    this.cache = new RevisionedCache<T>(0, window);
  }

  /** A record as it was read from the log. */
  read(record: LogRecord, mode: Mode): void {
    const key = keyOfSubject(this.#root, record.subject);
    if (key === undefined || record.op === 'claim') return this.cache.advance(record.seq);
    let value: T;
    try {
      value = this.#codec.decode(record.data, record.seq);
    } catch (error) {
      this.#logger.error('cannot read an object of the log', { key, error: describeError(error) });
      return this.cache.advance(record.seq);
    }
    const deleted = record.op === 'delete';
    const change = { key, value, deleted, revision: record.seq, bytes: record.data.length };
    this.#bury(key, deleted, record.seq, record.time);
    if (mode === 'load') return this.cache.load(change);
    const before = record.op === 'create' ? this.cache.get(key) : undefined;
    if (before) {
      // The deletion in between was overwritten before we came to read it.
      this.cache.apply({ ...change, value: this.#codec.stamp(before.value, record.seq), deleted: true });
    }
    this.cache.apply(change);
  }

  /** A write of our own that has been acknowledged. Returns the value as it is stored. `time`: milliseconds. */
  wrote(write: { key: string; value: T; deleted: boolean; bytes: number }, revision: number, time: number): T {
    const value = this.#codec.stamp(write.value, revision);
    this.#bury(write.key, write.deleted, revision, time);
    this.cache.apply({ ...write, value, revision });
    return value;
  }

  #bury(key: string, deleted: boolean, seq: number, time: number): void {
    if (deleted) this.#tombstones.deleted(key, seq, time);
    else this.#tombstones.written(key);
  }
}
