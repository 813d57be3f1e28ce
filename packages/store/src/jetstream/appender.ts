import { describeError, type Logger, sleep, type Timer } from '@flotilla/base';
import { LogDiverged, NotWriter, StoreUnavailable } from '../errors.js';
import type { AppendReply } from './log.js';
import { LogEnd, type LogEndOptions } from './log-end.js';
import type { LogRecord, RecordOp } from './record.js';

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

export interface AppenderOptions extends Omit<LogEndOptions, 'onFound'> {
  logger: Logger;
  /** Appending is over: another writer has claimed the log (`NotWriter`), or it is not the log we know. */
  onLost: (error: Error) => void;
  /** Messages under way at once. */
  window: number;
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
  readonly #end: LogEnd;
  readonly #window: number;
  /** Waiting to be sent, and sent but not settled, both in order. */
  #queue: Pending[] = [];
  #inFlight: Pending[] = [];
  #state: 'unsettled' | 'settling' | 'open' | 'ended' = 'unsettled';
  #watchdog: Timer | undefined;
  #watching = false;
  #onIdle: (() => void)[] = [];
  readonly #ended = new AbortController();

  constructor(options: AppenderOptions) {
    this.#options = options;
    this.#window = options.window;
    this.#end = new LogEnd({ ...options, onFound: (record) => this.#found(record) });
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

  #send(pending: Pending): void {
    const ahead = this.#inFlight[this.#inFlight.length - 1];
    pending.id = this.#end.nextId();
    pending.seq = (ahead?.seq ?? this.#end.lastSeq) + 1;
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
      this.#end.lastSeq = pending.seq;
      pending.stored(pending.seq);
    }
    this.#checkIdle();
  }

  /** One timer for the oldest message under way: if it is still the oldest when the timer ends, something is wrong. */
  #watch(): void {
    const head = this.#inFlight[0];
    if (!head || this.#watching) return;
    this.#watching = true;
    this.#watchdog = this.#options.clock.after(this.#options.replyTimeoutMs, () => {
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
          if (!(await this.#end.claim(aim === 'take over' && lost++ >= maxLostClaims))) continue;
          this.#requeue();
          return;
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

  /** True if the message is one of those under way. */
  #found(record: LogRecord): boolean {
    const own = this.#inFlight.find((pending) => pending.id === record.id);
    if (!own) return false;
    this.#inFlight = this.#inFlight.filter((pending) => pending !== own);
    own.stored(record.seq);
    return true;
  }

  /** What was under way is known not to be stored: send it again, before the rest. */
  #requeue(): void {
    const dead = this.#inFlight.splice(0);
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
      if (record.id === pending.id) pending.stored(record.seq);
      else pending.failed(new NotWriter(undefined));
    }
  }
}
