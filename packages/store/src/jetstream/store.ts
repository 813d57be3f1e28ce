import { type Clock, deferred, describeError, KeyedMutex, type Logger, sleep } from '@flotilla/base';
import type { NatsConnection } from 'nats';
import { RevisionedCache } from '../cache.js';
import { LogDiverged, NotWriter, ObjectTooLarge, StoreClosed, StoreUnavailable } from '../errors.js';
import { keyOfSubject, subjectOf } from '../keys.js';
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
} from '../port.js';
import { type Append, Appender } from './appender.js';
import { ConnectionState, hear } from './connection.js';
import { StreamLog } from './log.js';
import type { LogRecord } from './record.js';
import { WriterSeat } from './seat.js';
import { LogTail } from './tail.js';
import { Tombstones } from './tombstones.js';

export interface JetStreamStoreOptions extends WindowOptions {
  nc: NatsConnection;
  /** Of this process, unique per start, e.g. `master-<pid>-<random>`; in the alphabet of NATS tokens. */
  identity: string;
  clock: Clock;
  logger: Logger;
  /** Stream name; `STATE` if absent. */
  stream?: string;
  /** First subject token; `state` if absent. */
  root?: string;
  /** Of the stream, when it is created; 1 if absent. */
  replicas?: number;
  /** Encoded bytes of one object; 1.5 MiB (etcd's) if absent, less if the server's max_payload is less. */
  maxObjectBytes?: number;
  /** How long a write may wait for the log before `StoreUnavailable`, milliseconds; 10 000 if absent. */
  writeTimeoutMs?: number;
  /** How long `open` may take, milliseconds; 30 000 if absent. */
  openTimeoutMs?: number;
  /** How often a follower asks whether the writer is there, milliseconds; 250 if absent. */
  probeEveryMs?: number;
  /** Writes under way at once; 64 if absent. */
  pipeline?: number;
  /** Silence of JetStream after which a write's outcome counts as unknown and is looked up, milliseconds; 2000 if absent. */
  replyTimeoutMs?: number;
  /** Age at which a deletion is removed from the log, milliseconds; 300 000 if absent. */
  tombstoneAgeMs?: number;
}

type Message = Pick<Append, 'subject' | 'op' | 'data'>;

/** A follower that was cut off from the log for longer may have missed deletions that are no longer in it. */
const absenceShare = 0.5;
/** A writer that hears its seat's probes but does not answer this often in a row is replaced. */
const silentProbes = 2;

/**
 * The store over a JetStream stream. All processes that open it replay the log into memory and serve reads; one of them
 * writes. A follower takes over by itself when the writer's seat is empty. Whoever has been the writer and is no longer
 * resolves `deposed` and must end: its memory may hold what never came to be.
 */
export class JetStreamStore<T> implements Store<T> {
  readonly #codec: StoreCodec<T>;
  readonly #options: JetStreamStoreOptions;
  readonly #log: StreamLog;
  readonly #connection: ConnectionState;
  readonly #seat: WriterSeat;
  readonly #tombstones: Tombstones;
  readonly #cache: RevisionedCache<T>;
  readonly #keys = new KeyedMutex();
  readonly #writer = deferred<void>();
  readonly #deposed = deferred<Error>();
  readonly #closing = new AbortController();
  #tail: LogTail | undefined;
  #appender: Appender | undefined;
  #role: 'follower' | 'writer' | 'deposed' | 'closed' = 'follower';
  #writerIdentity: string | undefined;
  #downSince: number | undefined;
  #lastReconnect = Number.NEGATIVE_INFINITY;

  private constructor(codec: StoreCodec<T>, options: JetStreamStoreOptions) {
    const { nc, clock, logger } = options;
    this.#codec = codec;
    this.#options = options;
    const stream = options.stream ?? 'STATE';
    this.#log = new StreamLog(nc, { stream, root: options.root ?? 'state', replicas: options.replicas ?? 1 });
    this.#connection = new ConnectionState(nc);
    this.#seat = new WriterSeat(nc, stream);
    this.#cache = new RevisionedCache<T>(0, options);
    const ageMs = options.tombstoneAgeMs ?? 300_000;
    this.#tombstones = new Tombstones({ log: this.#log, connection: this.#connection, clock, logger, ageMs });
    this.#connection.onChange((up) => this.#onConnection(up));
    this.#writer.promise.catch(() => undefined);
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
  get role(): 'follower' | 'writer' | 'deposed' | 'closed' {
    return this.#role;
  }

  /** Resolves when this process has become the writer; rejects with `StoreClosed`. */
  whenWriter(): Promise<void> {
    return this.#writer.promise;
  }

  /** Resolves with the reason when this process has lost the log (`NotWriter`, `LogDiverged`): end the process. */
  get deposed(): Promise<Error> {
    return this.#deposed.promise;
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

  watch(prefix: string, fromRevision: number): WatchCursor<T> | Expired | Future {
    return this.#cache.watch(prefix, fromRevision);
  }

  waitFor(revision: number, signal?: AbortSignal): Promise<void> {
    return this.#cache.waitFor(revision, signal);
  }

  write(op: WriteOp<T>): Promise<WriteResult<T>> {
    const result = deferred<WriteResult<T>>();
    let withdraw: (() => void) | undefined;
    let given = false;
    const timer = this.#options.clock.after(this.#options.writeTimeoutMs ?? 10_000, () => {
      given = true;
      withdraw?.();
      const why = this.#appender?.lastTrouble ?? 'no writer';
      result.reject(new StoreUnavailable(withdraw ? 'unknown' : 'not-applied', why));
    });
    // The key stays locked until its write is settled, even when the caller has been told that the outcome is unknown.
    const settled = this.#keys.run(op.key, async () => {
      if (given) return;
      const step = this.#prepare(op);
      if ('conflict' in step) return result.resolve(step);
      await new Promise<void>((resolve) => {
        const stored = (seq: number): void => {
          result.resolve({ revision: seq, value: step.apply(seq) });
          resolve();
        };
        const failed = (error: Error): void => {
          result.reject(error);
          resolve();
        };
        withdraw = this.#appender!.append({ ...step.message, stored, failed });
      });
    });
    settled.catch((error: unknown) => result.reject(error));
    return result.promise.finally(() => timer.cancel());
  }

  /** Ends all waits and lets the next process write at once. The connection stays open: it is the caller's. */
  async close(): Promise<void> {
    if (this.#role === 'closed') return;
    const { clock } = this.#options;
    if (this.#role === 'writer' && this.#appender) {
      await Promise.race([this.#appender.whenIdle(), sleep(clock, 1000)]);
    }
    this.#role = 'closed';
    this.#closing.abort(new StoreClosed());
    this.#appender?.end(new StoreClosed());
    this.#seat.leave();
    this.#tail?.stop();
    this.#tombstones.stop();
    this.#writer.reject(new StoreClosed());
    this.#cache.close();
    this.#connection.close();
    this.#log.close();
  }

  /** Decides a write against the present state of its key, which no other write can change meanwhile. */
  #prepare(op: WriteOp<T>): { conflict: number } | { message: Message; apply: (revision: number) => T } {
    if (this.#role === 'closed') throw new StoreClosed();
    if (this.#role !== 'writer') throw new NotWriter(this.#writerIdentity);
    const subject = subjectOf(this.#log.root, op.key);
    const current = this.#cache.get(op.key);
    const have = current?.revision ?? 0;
    const value = op.value ?? current?.value;
    if ((op.expect !== undefined && op.expect !== have) || value === undefined) return { conflict: have };
    const data = this.#codec.encode(value);
    const limit = Math.min(this.#options.maxObjectBytes ?? 1.5 * 1024 * 1024, this.#log.maxBody);
    if (data.length > limit) throw new ObjectTooLarge(op.key, data.length, limit);
    const deleted = op.value === undefined;
    const apply = (revision: number): T => {
      const stamped = this.#codec.stamp(value, revision);
      this.#apply(op.key, stamped, deleted, revision, data.length, this.#options.clock.now());
      return stamped;
    };
    const kind = deleted ? 'delete' : current ? 'update' : 'create';
    return { message: { subject, op: kind, data }, apply };
  }

  #apply(key: string, value: T, deleted: boolean, revision: number, bytes: number, time: number): void {
    if (deleted) this.#tombstones.deleted(key, revision, time);
    else this.#tombstones.written(key);
    this.#cache.apply({ key, value, deleted, revision, bytes });
  }

  async #open(): Promise<void> {
    const { clock, openTimeoutMs = 30_000 } = this.#options;
    const deadline = clock.monotonic() + openTimeoutMs;
    const end = await this.#ensureStream(deadline);
    let loading = true;
    this.#tail = new LogTail({
      log: this.#log,
      connection: this.#connection,
      clock,
      logger: this.#options.logger,
      from: 1,
      onRecord: (record) => this.#onRecord(record, loading),
    });
    this.#tail.start();
    const late = new AbortController();
    const giveUp = sleep(clock, deadline - clock.monotonic(), late.signal).then(
      () => Promise.reject(new StoreUnavailable('not-applied', 'the log could not be replayed in time')),
      () => undefined,
    );
    await Promise.race([this.#tail.whenCaughtUp(), giveUp]);
    late.abort();
    loading = false;
    this.#cache.loaded(Math.max(end, this.#tail.seen));
    if (!(await this.#tryToWrite(false))) void this.#standBy();
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

  #onRecord(record: LogRecord, loading: boolean): void {
    const key = keyOfSubject(this.#log.root, record.subject);
    if (key === undefined || record.op === 'claim') return this.#cache.advance(record.seq);
    const bytes = record.data.length;
    const deleted = record.op === 'delete';
    let value: T;
    try {
      value = this.#codec.decode(record.data, record.seq);
    } catch (error) {
      this.#options.logger.error('cannot read an object of the log', { key, error: describeError(error) });
      return this.#cache.advance(record.seq);
    }
    const change = { key, value, deleted, revision: record.seq, bytes };
    if (loading) {
      if (deleted) this.#tombstones.deleted(key, record.seq, record.time);
      return this.#cache.load(change);
    }
    const before = record.op === 'create' ? this.#cache.get(key) : undefined;
    if (before) {
      // The deletion in between was overwritten before we came to read it.
      const last = this.#codec.stamp(before.value, record.seq);
      this.#cache.apply({ key, value: last, deleted: true, revision: record.seq, bytes });
    }
    this.#apply(key, value, deleted, record.seq, bytes, record.time);
  }

  /** True if this process writes now. */
  async #tryToWrite(disputed: boolean): Promise<boolean> {
    const seat = await this.#seat.probe(1000);
    if (this.#role !== 'follower') return false;
    this.#writerIdentity = typeof seat === 'object' ? seat.writer : undefined;
    if (typeof seat === 'object' || (seat === 'silent' && !disputed)) return false;
    if (!this.#connection.up) return false;
    return this.#claim();
  }

  async #claim(): Promise<boolean> {
    const { identity, clock, logger } = this.#options;
    const tail = this.#tail!;
    try {
      await this.#catchUp(tail);
    } catch (error) {
      if (error instanceof LogDiverged) throw error;
      logger.warn('cannot take over the log yet', { error: describeError(error) });
      return false;
    }
    tail.stop();
    const appender = new Appender({
      log: this.#log,
      connection: this.#connection,
      clock,
      logger,
      identity,
      lastSeq: this.#cache.revision,
      onForeign: (record) => this.#onRecord(record, false),
      onAdvance: (seq) => this.#cache.advance(seq),
      onLost: (error) => this.#lose(error),
      ...(this.#options.pipeline ? { window: this.#options.pipeline } : {}),
      ...(this.#options.replyTimeoutMs ? { replyTimeoutMs: this.#options.replyTimeoutMs } : {}),
    });
    this.#seat.take(identity);
    try {
      await appender.claim();
    } catch (error) {
      appender.end();
      this.#seat.leave();
      if (this.#closing.signal.aborted) return false;
      logger.info('another process writes the store', { error: describeError(error) });
      this.#follow(this.#cache.revision + 1);
      return false;
    }
    this.#appender = appender;
    this.#role = 'writer';
    this.#writerIdentity = identity;
    this.#watchClaims(appender);
    this.#tombstones.start(() => this.#cache.revision);
    logger.info('writing the store', { identity, revision: this.#cache.revision });
    this.#writer.resolve();
    return true;
  }

  /** Reads what is in the log now: all that the previous writer has acknowledged. */
  async #catchUp(tail: LogTail): Promise<void> {
    const known = this.#cache.revision;
    const end = await this.#log.lastSeq();
    if (known > end) throw new LogDiverged(`it ended at ${known}, and now at ${end}`);
    if (tail.seen < end) await Promise.race([tail.whenCaughtUp(), sleep(this.#options.clock, 2000)]);
    this.#cache.advance(Math.max(this.#cache.revision, tail.seen));
  }

  #follow(from: number): void {
    const { clock, logger } = this.#options;
    this.#tail = new LogTail({
      log: this.#log,
      connection: this.#connection,
      clock,
      logger,
      from,
      onRecord: (record) => this.#onRecord(record, false),
    });
    this.#tail.start();
  }

  /** Asks for the seat now and then, and takes it when it is free or its holder hangs. */
  async #standBy(): Promise<void> {
    const { clock, probeEveryMs = 250 } = this.#options;
    let silent = 0;
    while (this.#role === 'follower') {
      try {
        await sleep(clock, probeEveryMs, this.#closing.signal);
        // After NATS was away the writer may come back a moment later than we do.
        const settled = this.#connection.up && clock.monotonic() - this.#lastReconnect > 4 * probeEveryMs;
        if (!settled) continue;
        const before = this.#writerIdentity;
        if (await this.#tryToWrite(silent >= silentProbes)) return;
        silent = this.#writerIdentity === undefined ? silent + 1 : 0;
        this.#writerIdentity ??= before;
      } catch (error) {
        if (this.#closing.signal.aborted) return;
        if (error instanceof LogDiverged) return this.#lose(error);
        this.#options.logger.warn('cannot ask for the writer', { error: describeError(error) });
      }
    }
  }

  /** An idle writer appends nothing that could be refused: it hears of another's claim when that is sent. */
  #watchClaims(appender: Appender): void {
    const subscription = hear(this.#options.nc, this.#log.writerSubject, () => {
      appender.settle('another process claims the log');
    });
    this.#closing.signal.addEventListener('abort', () => subscription.unsubscribe(), { once: true });
  }

  #onConnection(up: boolean): void {
    const now = this.#options.clock.monotonic();
    if (!up) {
      this.#downSince ??= now;
      return;
    }
    const away = this.#downSince === undefined ? 0 : now - this.#downSince;
    this.#downSince = undefined;
    this.#lastReconnect = now;
    const longest = (this.#options.tombstoneAgeMs ?? 300_000) * absenceShare;
    if (this.#role === 'follower' && away > longest) {
      this.#lose(new LogDiverged(`out of touch with it for ${Math.round(away / 1000)} s`));
    }
  }

  #lose(error: Error): void {
    if (this.#role === 'closed' || this.#role === 'deposed') return;
    this.#options.logger.error('lost the store', { error: describeError(error) });
    this.#role = 'deposed';
    if (error instanceof NotWriter) this.#writerIdentity = error.writer;
    this.#seat.leave();
    this.#tail?.stop();
    this.#tombstones.stop();
    this.#deposed.resolve(error);
  }
}
