import type { Bucket } from './bucket.js';
import type { RevisionedCache } from './cache.js';
import { StoreClosed } from './errors.js';
import type { Expired, StoreEvent, WatchCursor } from './port.js';

/** Events handed out at once, about. */
const batchSize = 256;

/** A place in one bucket's events. It holds no events itself: `#next` is the absolute index of the first unread one. */
export class Cursor<T> implements WatchCursor<T> {
  readonly #cache: RevisionedCache<T>;
  readonly #bucket: Bucket<T>;
  readonly #prefix: string;
  #next: number;

  constructor(cache: RevisionedCache<T>, bucket: Bucket<T>, prefix: string, fromRevision: number) {
    this.#cache = cache;
    this.#bucket = bucket;
    this.#prefix = prefix;
    this.#next = bucket.indexAfter(fromRevision);
  }

  get revision(): number {
    const event = this.#bucket.at(this.#next);
    if (event === undefined) return this.#cache.revision;
    return event === 'expired' ? 0 : event.revision - 1;
  }

  async next(signal?: AbortSignal): Promise<readonly StoreEvent<T>[] | Expired> {
    for (;;) {
      signal?.throwIfAborted();
      const batch = this.#take();
      if (batch === 'expired' || batch.length > 0) return batch;
      if (this.#cache.closed) throw new StoreClosed();
      await this.#woken(signal);
    }
  }

  /** What is there now. Events of one revision are never torn apart, so that one can resume after any batch. */
  #take(): StoreEvent<T>[] | Expired {
    const batch: StoreEvent<T>[] = [];
    for (;;) {
      const event = this.#bucket.at(this.#next);
      if (event === 'expired') return batch.length > 0 ? batch : 'expired';
      if (event === undefined) return batch;
      if (batch.length >= batchSize && event.revision > batch[batch.length - 1]!.revision) return batch;
      if (event.key.startsWith(this.#prefix)) batch.push(event);
      this.#next++;
    }
  }

  #woken(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        signal?.removeEventListener('abort', wake);
        this.#bucket.forget(wake);
        resolve();
      };
      signal?.addEventListener('abort', wake, { once: true });
      this.#bucket.onceWoken(wake);
    });
  }
}
