import { deferred, describeError, sleep } from '@flotilla/base';
import { LogDiverged, NotWriter, StoreClosed } from '../errors.js';
import { Appender } from './appender.js';
import { type ConnectionState, hear } from './connection.js';
import type { StreamLog } from './log.js';
import type { FullOptions } from './options.js';
import type { LogRecord } from './record.js';
import { WriterSeat } from './seat.js';
import { LogTail } from './tail.js';

/** `deposed`: has lost the log; what is in memory may never have come to be. */
export type Role = 'follower' | 'writer' | 'deposed' | 'closed';

/** A follower that was cut off from the log for longer than this share of a tombstone's life may have missed a deletion. */
const absenceShare = 0.5;
/** A writer whose seat is taken but which does not answer this often in a row is replaced. */
const silentProbes = 2;

export interface SuccessionOptions {
  log: StreamLog;
  connection: ConnectionState;
  options: FullOptions;
  /** The last sequence that has been read. */
  revision: () => number;
  onRecord: (record: LogRecord) => void;
  onAdvance: (seq: number) => void;
  onRole: (role: Role) => void;
}

/**
 * Who writes the log. A follower reads along and asks for the writer's seat now and then; when it is free, or its holder
 * hangs, it claims the log. The claim in the log decides; whoever finds another's claim behind its own is deposed.
 */
export class Succession {
  readonly #o: SuccessionOptions;
  readonly #seat: WriterSeat;
  readonly #writer = deferred<void>();
  readonly #deposed = deferred<Error>();
  readonly #closing = new AbortController();
  #role: Role = 'follower';
  #writerIdentity: string | undefined;
  #tail: LogTail;
  #appender: Appender | undefined;
  #downSince: number | undefined;
  #lastReconnect = Number.NEGATIVE_INFINITY;

  /** `tail` has read the log up to `revision` and goes on. */
  constructor(options: SuccessionOptions, tail: LogTail) {
    this.#o = options;
    this.#tail = tail;
    this.#seat = new WriterSeat(options.options.nc, options.options.stream);
    options.connection.onChange((up) => this.#onConnection(up));
    this.#writer.promise.catch(() => undefined);
  }

  get role(): Role {
    return this.#role;
  }

  /** Who writes, as far as is known. */
  get writer(): string | undefined {
    return this.#writerIdentity;
  }

  /** Present while, and only while, this process writes. */
  get appender(): Appender | undefined {
    return this.#role === 'writer' ? this.#appender : undefined;
  }

  whenWriter(): Promise<void> {
    return this.#writer.promise;
  }

  get deposed(): Promise<Error> {
    return this.#deposed.promise;
  }

  /** Resolves when the role is known. */
  async start(): Promise<void> {
    if (!(await this.#tryToWrite(false))) void this.#standBy();
  }

  async close(): Promise<void> {
    if (this.#role === 'closed') return;
    if (this.appender) await Promise.race([this.appender.whenIdle(), sleep(this.#o.options.clock, 1000)]);
    this.#setRole('closed');
    this.#closing.abort(new StoreClosed());
    this.#appender?.end(new StoreClosed());
    this.#seat.leave();
    this.#tail.stop();
    this.#writer.reject(new StoreClosed());
  }

  /** True if this process writes now. */
  async #tryToWrite(hanging: boolean): Promise<boolean> {
    const seat = await this.#seat.probe(1000);
    if (this.#role !== 'follower') return false;
    this.#writerIdentity = typeof seat === 'object' ? seat.writer : undefined;
    if (typeof seat === 'object' || (seat === 'silent' && !hanging) || !this.#o.connection.up) return false;
    return this.#claim();
  }

  async #claim(): Promise<boolean> {
    const { log, connection, options, revision, onRecord, onAdvance } = this.#o;
    const { identity, clock, logger } = options;
    if (!(await this.#catchUp())) return false;
    this.#tail.stop();
    const appender = new Appender({
      log,
      connection,
      clock,
      logger,
      identity,
      lastSeq: revision(),
      onForeign: onRecord,
      onAdvance,
      onLost: (error) => this.#lose(error),
      window: options.pipeline,
      replyTimeoutMs: options.replyTimeoutMs,
    });
    this.#seat.take(identity);
    try {
      await appender.claim();
    } catch (error) {
      appender.end();
      this.#seat.leave();
      if (this.#closing.signal.aborted) return false;
      logger.info('another process writes the store', { error: describeError(error) });
      this.#follow();
      return false;
    }
    this.#becomeWriter(appender);
    return true;
  }

  #becomeWriter(appender: Appender): void {
    const { log, options, revision } = this.#o;
    this.#appender = appender;
    this.#writerIdentity = options.identity;
    this.#setRole('writer');
    // An idle writer appends nothing that could be refused: it hears of another's claim when that is sent.
    const claims = hear(options.nc, log.writerSubject, () => appender.settle('another process claims the log'));
    this.#closing.signal.addEventListener('abort', () => claims.unsubscribe(), { once: true });
    options.logger.info('writing the store', { identity: options.identity, revision: revision() });
    this.#writer.resolve();
  }

  /** Reads what is in the log now: all that the previous writer has acknowledged. */
  async #catchUp(): Promise<boolean> {
    const { log, revision, onAdvance, options } = this.#o;
    const known = revision();
    try {
      const end = await log.lastSeq();
      if (known > end) throw new LogDiverged(`it ended at ${known}, and now at ${end}`);
      if (this.#tail.seen < end) await Promise.race([this.#tail.whenCaughtUp(), sleep(options.clock, 2000)]);
      onAdvance(this.#tail.seen);
      return true;
    } catch (error) {
      if (error instanceof LogDiverged) throw error;
      options.logger.warn('cannot take over the log yet', { error: describeError(error) });
      return false;
    }
  }

  #follow(): void {
    const { log, connection, options, onRecord, revision } = this.#o;
    const { clock, logger } = options;
    this.#tail = new LogTail({ log, connection, clock, logger, from: revision() + 1, onRecord });
    this.#tail.start();
  }

  async #standBy(): Promise<void> {
    const { connection, options } = this.#o;
    const { clock, probeEveryMs, logger } = options;
    let silent = 0;
    while (this.#role === 'follower') {
      try {
        await sleep(clock, probeEveryMs, this.#closing.signal);
        // After NATS was away the writer may come back a moment later than we do.
        const settled = connection.up && clock.monotonic() - this.#lastReconnect > 4 * probeEveryMs;
        if (!settled) continue;
        const before = this.#writerIdentity;
        if (await this.#tryToWrite(silent >= silentProbes)) return;
        silent = this.#writerIdentity === undefined ? silent + 1 : 0;
        this.#writerIdentity ??= before;
      } catch (error) {
        if (this.#closing.signal.aborted) return;
        if (error instanceof LogDiverged) return this.#lose(error);
        logger.warn('cannot ask for the writer', { error: describeError(error) });
      }
    }
  }

  #onConnection(up: boolean): void {
    const { clock, tombstoneAgeMs } = this.#o.options;
    const now = clock.monotonic();
    if (!up) {
      this.#downSince ??= now;
      return;
    }
    const away = this.#downSince === undefined ? 0 : now - this.#downSince;
    this.#downSince = undefined;
    this.#lastReconnect = now;
    if (this.#role !== 'follower') return;
    if (away > tombstoneAgeMs * absenceShare) {
      return this.#lose(new LogDiverged(`out of touch with it for ${Math.round(away / 1000)} s`));
    }
    void this.#checkLog();
  }

  /** A writer finds out by writing that the log is not the one it knows; a follower would wait for ever. */
  async #checkLog(): Promise<void> {
    const seen = this.#tail.seen;
    const end = await this.#o.log.lastSeq().catch((error: unknown) => (error instanceof LogDiverged ? -1 : undefined));
    if (end !== undefined && end < seen && this.#role === 'follower') {
      this.#lose(new LogDiverged(`it ended at ${seen}, and now at ${end}`));
    }
  }

  #lose(error: Error): void {
    if (this.#role === 'closed' || this.#role === 'deposed') return;
    this.#o.options.logger.error('lost the store', { error: describeError(error) });
    if (error instanceof NotWriter) this.#writerIdentity = error.writer;
    this.#setRole('deposed');
    this.#seat.leave();
    this.#tail.stop();
    this.#deposed.resolve(error);
  }

  #setRole(role: Role): void {
    this.#role = role;
    this.#o.onRole(role);
  }
}
