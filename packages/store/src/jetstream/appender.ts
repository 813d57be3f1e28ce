import { type Clock, describeError, type Logger, sleep, type Timer } from '@flotilla/base';
import { LogDiverged, NotWriter, StoreUnavailable } from '../errors.js';
import type { ConnectionState } from './connection.js';
import type { AppendReply, StreamLog } from './log.js';
import { claimOf, type LogRecord, type RecordOp } from './record.js';

/** One message to append. Exactly one of the callbacks is called, once. */
export interface Append {
  subject: string;
  op: RecordOp;
  data: Uint8Array;
  /** It is in the log at this sequence. Called in the order of the log. */
  stored(seq: number): void;
  /** `NotWriter`, or `StoreUnavailable` with the outcome. */
  failed(error: Error): void;
}

/** Claims that may lose to other writes before one is forced, and that may fail altogether. */
const maxLostClaims = 3;
const maxFailedClaims = 20;

interface Pending extends Append {
  id: string;
  /** The sequence it must get, once it has been sent. */
  seq: number;
  acknowledged: boolean;
  /** The caller has given up: if it turns out not to be stored, do not send it again. */
  withdrawn: boolean;
  forgetReply: () => void;
}

export interface AppenderOptions {
  log: StreamLog;
  connection: ConnectionState;
  clock: Clock;
  logger: Logger;
  identity: string;
  /** The log's end, all of which has been read. */
  lastSeq: number;
  /** A message that is in the log but was not sent by this appender. */
  onForeign: (record: LogRecord) => void;
  /** The log's end moved without a record that matters. */
  onAdvance: (seq: number) => void;
  /** Appending is over: another writer has claimed the log (`NotWriter`), or it is not the log we know. */
  onLost: (error: Error) => void;
  /** Messages under way at once; 64 if absent. */
  window?: number;
  /** Silence after which an outcome counts as unknown, milliseconds; 2000 if absent. */
  replyTimeoutMs?: number;
}

/**
 * The writing end of the log.
 *
 * Messages are sent without waiting for the ones before them: each expects the sequence, and the message id, of its
 * predecessor, so that one that fails takes all behind it along. Whenever an outcome is not plain (a refusal, silence, a
 * lost connection) nothing more is sent and the end of the log is settled: a claim is appended behind the last message
 * that is known. If it is taken, none of those under way has been or ever will be stored, and they are sent anew. If not,
 * what is in the log beyond that point is read: messages of ours are stored, a claim of another means we are deposed.
 */
export class Appender {
  readonly #options: AppenderOptions;
  readonly #prefix: string;
  readonly #window: number;
  readonly #replyTimeoutMs: number;
  /** Waiting to be sent, and sent but not settled, both in order. */
  #queue: Pending[] = [];
  #inFlight: Pending[] = [];
  #state: 'unsettled' | 'settling' | 'open' | 'ended' = 'unsettled';
  /** The log's last sequence that is known, and applied. */
  #lastSeq: number;
  #ids = 0;
  #watchdog: Timer | undefined;
  #watching = false;
  #onIdle: (() => void)[] = [];
  readonly #ended = new AbortController();

  constructor(options: AppenderOptions) {
    this.#options = options;
    this.#lastSeq = options.lastSeq;
    this.#prefix = `${options.identity}.`;
    this.#window = options.window ?? 64;
    this.#replyTimeoutMs = options.replyTimeoutMs ?? 2000;
    options.connection.onChange((up) => void (up || this.settle('connection lost')));
  }

  /** Why nothing is being sent at the moment, for people. */
  lastTrouble = 'starting';

  /**
   * Takes the log over. Resolves when this is its writer; rejects with why not. A claim that loses to others' writes again
   * and again is made without the fence: it then ends whatever the previous writer had under way.
   */
  async claim(): Promise<void> {
    await this.#settleEnd('take over');
    this.#state = 'open';
    this.#pump();
  }

  /** Sends in order of calls. Returns the way to give up. */
  append(message: Append): () => void {
    const pending: Pending = {
      ...message,
      id: '',
      seq: 0,
      acknowledged: false,
      withdrawn: false,
      forgetReply: () => undefined,
    };
    if (this.#state === 'ended') {
      queueMicrotask(() => message.failed(new NotWriter(undefined)));
      return () => undefined;
    }
    this.#queue.push(pending);
    this.#pump();
    return () => this.#withdraw(pending);
  }

  /** Makes sure of the end of the log when there is reason to doubt it. Does not wait. */
  settle(why: string): void {
    if (this.#state !== 'open') return;
    this.#state = 'settling';
    this.lastTrouble = why;
    // What is under way is decided by reading the log; late replies would only interfere.
    for (const pending of this.#inFlight) pending.forgetReply();
    this.#options.logger.debug('settling the log', { why, inFlight: this.#inFlight.length });
    void this.#settleUntilOpen();
  }

  /** Ends appending. What is not settled fails with an unknown outcome if it was sent. */
  end(error: Error = new NotWriter(undefined)): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#ended.abort(error);
    this.#watchdog?.cancel();
    const sent = this.#inFlight.splice(0);
    const queued = this.#queue.splice(0);
    for (const p of sent) {
      p.forgetReply();
      p.failed(new StoreUnavailable('unknown', 'this writer has ended', error));
    }
    for (const p of queued) p.failed(error);
    this.#checkIdle();
  }

  /** Resolves when all that was asked for is settled. */
  whenIdle(): Promise<void> {
    return this.#idle ? Promise.resolve() : new Promise((resolve) => this.#onIdle.push(resolve));
  }

  get #idle(): boolean {
    return this.#state === 'ended' || this.#queue.length + this.#inFlight.length === 0;
  }

  #checkIdle(): void {
    if (this.#onIdle.length > 0 && this.#idle) for (const resolve of this.#onIdle.splice(0)) resolve();
  }

  #pump(): void {
    while (this.#state === 'open' && this.#queue.length > 0 && this.#inFlight.length < this.#window) {
      this.#send(this.#queue.shift()!);
    }
  }

  #nextId(): string {
    return this.#prefix + (this.#ids++).toString(36);
  }

  #send(pending: Pending): void {
    const ahead = this.#inFlight[this.#inFlight.length - 1];
    pending.id = this.#nextId();
    pending.seq = (ahead?.seq ?? this.#lastSeq) + 1;
    pending.acknowledged = false;
    this.#inFlight.push(pending);
    const fence = { lastSeq: pending.seq - 1, ...(ahead ? { lastId: ahead.id } : {}) };
    pending.forgetReply = this.#options.log.append(pending, fence, (reply) => this.#onReply(pending, reply));
    this.#watch();
  }

  #onReply(pending: Pending, reply: AppendReply): void {
    if (reply.kind === 'stored' && reply.seq === pending.seq && !reply.duplicate) {
      pending.acknowledged = true;
      this.#complete();
      this.#pump();
    } else {
      this.settle(reply.kind === 'refused' ? reply.why : `append ${reply.kind}`);
    }
  }

  /** Hands on what is acknowledged, in order. */
  #complete(): void {
    while (this.#inFlight[0]?.acknowledged) {
      const pending = this.#inFlight.shift()!;
      this.#lastSeq = pending.seq;
      pending.stored(pending.seq);
    }
    this.#checkIdle();
  }

  /** One timer for the oldest message under way: if it is still the oldest when the timer ends, something is wrong. */
  #watch(): void {
    const head = this.#inFlight[0];
    if (!head || this.#watching) return;
    this.#watching = true;
    this.#watchdog = this.#options.clock.after(this.#replyTimeoutMs, () => {
      this.#watching = false;
      if (this.#inFlight[0] === head) this.settle('no reply');
      else this.#watch();
    });
  }

  #withdraw(pending: Pending): void {
    pending.withdrawn = true;
    const at = this.#queue.indexOf(pending);
    if (at < 0) return;
    this.#queue.splice(at, 1);
    pending.failed(new StoreUnavailable('not-applied', this.lastTrouble));
    this.#checkIdle();
  }

  async #settleUntilOpen(): Promise<void> {
    try {
      await this.#settleEnd('go on');
    } catch (error) {
      if (this.#state === 'ended') return;
      await this.#resolveLost();
      const reason = error instanceof Error ? error : new LogDiverged(String(error));
      this.end(reason);
      this.#options.onLost(reason);
      return;
    }
    this.#state = 'open';
    this.#pump();
    this.#watch();
    this.#checkIdle();
  }

  /** Tries until the end of the log is known and ours. Rejects when it is not ours (any more). */
  async #settleEnd(aim: 'take over' | 'go on'): Promise<void> {
    for (let failures = 0, lost = 0; ; ) {
      this.#ended.signal.throwIfAborted();
      if (this.#options.connection.up) {
        try {
          if (await this.#settleOnce(aim === 'take over' && lost++ >= maxLostClaims)) return;
          continue;
        } catch (error) {
          if (!(error instanceof StoreUnavailable) || this.#state === 'ended') throw error;
          if (aim === 'take over' && failures > maxFailedClaims) throw error;
          this.lastTrouble = describeError(error);
        }
      }
      failures++;
      await sleep(this.#options.clock, Math.min(10 * failures, 250), this.#ended.signal);
    }
  }

  /** True: our claim is the end of the log. False: there was more to read; try again. */
  async #settleOnce(force: boolean): Promise<boolean> {
    const { log, identity } = this.#options;
    const data = Buffer.from(JSON.stringify({ identity }));
    const id = this.#nextId();
    const reply = await this.#appendAlone({ subject: log.writerSubject, op: 'claim', id, data }, force);
    if (reply.kind === 'refused') {
      // Also finds out whether there is a log at all.
      await log.lastSeq();
      throw new StoreUnavailable('not-applied', reply.why);
    }
    if (reply.kind === 'stored') {
      // A forced claim: what came before it, others' last writes.
      await this.#readOn(reply.seq - 1);
      this.#lastSeq = reply.seq;
      this.#requeue();
      this.#options.onAdvance(reply.seq);
      return true;
    }
    const claim = await log.last(log.writerSubject);
    if (claim && claim.seq > this.#lastSeq) {
      const writer = claimOf(claim)?.identity;
      if (writer !== identity) throw new NotWriter(writer);
    }
    await this.#readOn(await log.lastSeq());
    return false;
  }

  #appendAlone(
    message: { subject: string; op: RecordOp; id: string; data: Uint8Array },
    force: boolean,
  ): Promise<AppendReply> {
    return new Promise((resolve, reject) => {
      const forget = this.#options.log.append(message, force ? undefined : { lastSeq: this.#lastSeq }, (reply) => {
        timer.cancel();
        resolve(reply);
      });
      const timer = this.#options.clock.after(this.#replyTimeoutMs, () => {
        forget();
        reject(new StoreUnavailable('unknown', 'no reply'));
      });
    });
  }

  /** Reads what is in the log up to `end` and is not known yet. */
  async #readOn(end: number): Promise<void> {
    if (end < this.#lastSeq) throw new LogDiverged(`it ended at ${this.#lastSeq}, and now at ${end}`);
    while (this.#lastSeq < end) {
      const count = Math.min(this.#window, end - this.#lastSeq);
      const seqs = Array.from({ length: count }, (_, i) => this.#lastSeq + 1 + i);
      const records = await Promise.all(seqs.map((seq) => this.#options.log.get(seq)));
      for (const [i, record] of records.entries()) {
        this.#lastSeq = seqs[i]!;
        const own = record && this.#inFlight.find((p) => p.id === record.id);
        if (own) {
          this.#inFlight = this.#inFlight.filter((p) => p !== own);
          own.forgetReply();
          own.stored(record.seq);
        } else if (record && record.op !== 'claim') {
          this.#options.onForeign(record);
        } else {
          this.#options.onAdvance(this.#lastSeq);
        }
      }
    }
  }

  /** What was under way is known not to be stored: send it again, before the rest. */
  #requeue(): void {
    const dead = this.#inFlight.splice(0);
    for (const p of dead) p.forgetReply();
    const [gone, again] = [dead.filter((p) => p.withdrawn), dead.filter((p) => !p.withdrawn)];
    this.#queue.unshift(...again);
    for (const p of gone) p.failed(new StoreUnavailable('not-applied', this.lastTrouble));
  }

  /** After losing the log: a message of ours can only be at the sequence that it asked for. */
  async #resolveLost(): Promise<void> {
    for (const pending of this.#inFlight) {
      const record = await this.#options.log.get(pending.seq).catch(() => undefined);
      if (!record) continue;
      this.#inFlight = this.#inFlight.filter((p) => p !== pending);
      pending.forgetReply();
      if (record.id === pending.id) pending.stored(record.seq);
      else pending.failed(new NotWriter(undefined));
    }
  }
}
