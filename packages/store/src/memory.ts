import { RevisionedCache } from './cache.js';
import { StoreClosed } from './errors.js';
import { parseKey } from './keys.js';
import type {
  Entry,
  Expired,
  Future,
  Store,
  StoreCodec,
  WatchCursor,
  WindowOptions,
  WriteOp,
  WriteResult,
} from './port.js';

/** The store without a log: for tests, and for what need not outlive the process. Its first write has revision 2. */
export class MemoryStore<T> implements Store<T> {
  readonly #codec: StoreCodec<T>;
  readonly #cache: RevisionedCache<T>;

  constructor(codec: StoreCodec<T>, options: WindowOptions = {}) {
    this.#codec = codec;
    // Revision 0 means "any" in Kubernetes, so that an empty store must not be at 0.
    this.#cache = new RevisionedCache(1, options);
  }

  revision(): number {
    return this.#cache.revision;
  }

  get(key: string): Entry<T> | undefined {
    return this.#cache.get(key);
  }

  list(prefix: string): { revision: number; entries: Entry<T>[] } {
    return this.#cache.list(prefix);
  }

  listAt(prefix: string, revision: number): Entry<T>[] | Expired | Future {
    return this.#cache.listAt(prefix, revision);
  }

  async write(op: WriteOp<T>): Promise<WriteResult<T>> {
    if (this.#cache.closed) throw new StoreClosed();
    parseKey(op.key);
    const current = this.#cache.get(op.key);
    const have = current?.revision ?? 0;
    const next = op.value ?? current?.value;
    if ((op.expect !== undefined && op.expect !== have) || next === undefined) return { conflict: have };
    const revision = this.#cache.revision + 1;
    const value = this.#codec.stamp(next, revision);
    const bytes = this.#codec.encode(value).length;
    this.#cache.apply({ key: op.key, value, deleted: op.value === undefined, revision, bytes });
    return { revision, value };
  }

  watch(prefix: string, fromRevision: number): WatchCursor<T> | Expired | Future {
    return this.#cache.watch(prefix, fromRevision);
  }

  waitFor(revision: number, signal?: AbortSignal): Promise<void> {
    return this.#cache.waitFor(revision, signal);
  }

  async close(): Promise<void> {
    this.#cache.close();
  }
}
