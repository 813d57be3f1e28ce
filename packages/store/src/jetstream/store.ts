import { deferred, KeyedMutex, sleep } from '@flotilla/base';
import { NotWriter, ObjectTooLarge, StoreClosed, StoreUnavailable } from '../errors.js';
import { subjectOf } from '../keys.js';
import type { Entry, Expired, Future, Store, StoreCodec, WatchCursor, WriteOp, WriteResult } from '../port.js';
import type { RecordOp } from './record.js';
import { ConnectionState } from './connection.js';
import { StreamLog } from './log.js';
import { defaults, type FullOptions, type JetStreamStoreOptions } from './options.js';
import { Replica } from './replica.js';
import { type Role, Succession } from './succession.js';
import { LogTail } from './tail.js';
import { Tombstones } from './tombstones.js';

/** A write that may be made. */
interface Step<T> {
  message: { subject: string; op: RecordOp; data: Uint8Array };
  write: { key: string; value: T; deleted: boolean; bytes: number };
}

/**
 * The store over a JetStream stream. All processes that open it replay the log into memory and serve reads; one of them
 * writes. A follower takes over by itself when the writer is gone. Whoever has been the writer and is no longer resolves
 * `deposed` and must end: its memory may hold what never came to be.
 */
export class JetStreamStore<T> implements Store<T> {
  readonly #codec: StoreCodec<T>;
  readonly #options: FullOptions;
  readonly #log: StreamLog;
  readonly #connection: ConnectionState;
  readonly #tombstones: Tombstones;
  readonly #replica: Replica<T>;
  readonly #keys = new KeyedMutex();
  readonly #closing = new AbortController();
  readonly #tail: LogTail;
  readonly #succession: Succession;
  #loading = true;

  private constructor(codec: StoreCodec<T>, given: JetStreamStoreOptions) {
    const options = { ...defaults, ...given };
    const { nc, clock, logger, root } = options;
    const connection = new ConnectionState(nc);
    const log = new StreamLog(nc, connection, options);
    this.#codec = codec;
    this.#options = options;
    this.#log = log;
    this.#connection = connection;
    this.#tombstones = new Tombstones({ log, connection, clock, logger, ageMs: options.tombstoneAgeMs });
    this.#replica = new Replica(codec, root, this.#tombstones, logger, options);
    const onRecord = (record: Parameters<Replica<T>['read']>[0]): void =>
      this.#replica.read(record, this.#loading ? 'load' : 'follow');
    this.#tail = new LogTail({ log, connection, clock, logger, from: 1, onRecord });
    const { cache } = this.#replica;
    this.#succession = new Succession(
      {
        log,
        connection,
        options,
        onRecord,
        revision: () => cache.revision,
        onAdvance: (seq) => cache.advance(seq),
        onRole: (role) => this.#onRole(role),
      },
      this.#tail,
    );
  }

  /** Finds or creates the log, replays it, and takes the writer's seat if it is free. Reads work when it resolves. */
  static async open<T>(codec: StoreCodec<T>, options: JetStreamStoreOptions): Promise<JetStreamStore<T>> {
    const store = new JetStreamStore(codec, options);
    try {
      await store.#open();
      return store;
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  /** `follower` until it has claimed the log. */
  get role(): Role {
    return this.#succession.role;
  }

  /** Resolves when this process has become the writer; rejects with `StoreClosed`. */
  whenWriter(): Promise<void> {
    return this.#succession.whenWriter();
  }

  /** Resolves with the reason when this process has lost the log (`NotWriter`, `LogDiverged`): end the process. */
  get deposed(): Promise<Error> {
    return this.#succession.deposed;
  }

  revision(): number {
    return this.#replica.cache.revision;
  }

  get(key: string): Entry<T> | undefined {
    return this.#replica.cache.get(key);
  }

  list(prefix: string): { revision: number; entries: Entry<T>[] } {
    return this.#replica.cache.list(prefix);
  }

  listAt(prefix: string, revision: number): Entry<T>[] | Expired | Future {
    return this.#replica.cache.listAt(prefix, revision);
  }

  watch(prefix: string, fromRevision: number): WatchCursor<T> | Expired | Future {
    return this.#replica.cache.watch(prefix, fromRevision);
  }

  waitFor(revision: number, signal?: AbortSignal): Promise<void> {
    return this.#replica.cache.waitFor(revision, signal);
  }

  write(op: WriteOp<T>): Promise<WriteResult<T>> {
    const result = deferred<WriteResult<T>>();
    let withdraw: (() => void) | undefined;
    let given = false;
    const timer = this.#options.clock.after(this.#options.writeTimeoutMs, () => {
      given = true;
      withdraw?.();
      const why = this.#succession.appender?.lastTrouble ?? 'no writer';
      result.reject(new StoreUnavailable(withdraw ? 'unknown' : 'not-applied', why));
    });
    // The key stays locked until its write is settled, even when the caller has been told that the outcome is unknown.
    const settled = this.#keys.run(op.key, async () => {
      if (given) return;
      const step = this.#decide(op);
      if ('conflict' in step) return result.resolve(step);
      const { appender, writer } = this.#succession;
      if (!appender) throw new NotWriter(writer);
      await new Promise<void>((resolve) => {
        const stored = (revision: number): void => {
          const value = this.#replica.wrote(step.write, revision, this.#options.clock.now());
          result.resolve({ revision, value });
          resolve();
        };
        const failed = (error: Error): void => {
          result.reject(error);
          resolve();
        };
        withdraw = appender.append({ ...step.message, stored, failed });
      });
    });
    settled.catch((error: unknown) => result.reject(error));
    return result.promise.finally(() => timer.cancel());
  }

  /** Ends all waits and lets the next process write at once. The connection stays open: it is the caller's. */
  async close(): Promise<void> {
    await this.#succession.close();
    this.#closing.abort(new StoreClosed());
    this.#tombstones.stop();
    this.#replica.cache.close();
    this.#connection.close();
    this.#log.close();
  }

  /** A write against the present state of its key, which no other write can change meanwhile. */
  #decide(op: WriteOp<T>): Step<T> | { conflict: number } {
    if (this.#closing.signal.aborted) throw new StoreClosed();
    const subject = subjectOf(this.#log.root, op.key);
    if (this.role !== 'writer') throw new NotWriter(this.#succession.writer);
    const current = this.get(op.key);
    const have = current?.revision ?? 0;
    const value = op.value ?? current?.value;
    if ((op.expect !== undefined && op.expect !== have) || value === undefined) return { conflict: have };
    const data = this.#codec.encode(value);
    const limit = Math.min(this.#options.maxObjectBytes, this.#log.maxBody);
    if (data.length > limit) throw new ObjectTooLarge(op.key, data.length, limit);
    const deleted = op.value === undefined;
    const kind = deleted ? 'delete' : current ? 'update' : 'create';
    return {
      message: { subject, op: kind, data },
      write: { key: op.key, value, deleted, bytes: data.length },
    };
  }

  async #open(): Promise<void> {
    const { clock, openTimeoutMs } = this.#options;
    const deadline = clock.monotonic() + openTimeoutMs;
    const end = await this.#ensureStream(deadline);
    this.#tail.start();
    const replayed = new AbortController();
    const late = sleep(clock, deadline - clock.monotonic(), replayed.signal).then(
      () => Promise.reject(new StoreUnavailable('not-applied', 'the log could not be replayed in time')),
      () => undefined,
    );
    await Promise.race([this.#tail.whenCaughtUp(), late]);
    replayed.abort();
    this.#loading = false;
    this.#replica.cache.loaded(Math.max(end, this.#tail.seen));
    await this.#succession.start();
  }

  /** NATS may have only just started: JetStream's API comes a moment later. */
  async #ensureStream(deadline: number): Promise<number> {
    const { clock } = this.#options;
    for (;;) {
      try {
        return await this.#log.ensure();
      } catch (error) {
        if (!(error instanceof StoreUnavailable) || clock.monotonic() > deadline) throw error;
        await sleep(clock, 20, this.#closing.signal);
      }
    }
  }

  #onRole(role: Role): void {
    if (role === 'writer') this.#tombstones.start(() => this.revision());
    else this.#tombstones.stop();
  }
}
