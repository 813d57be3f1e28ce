import type { Clock } from '@flotilla/base';
import { nuid } from 'nats';
import { LogDiverged, NotWriter, StoreUnavailable } from '../errors.js';
import type { ConnectionState } from './connection.js';
import type { AppendReply, StreamLog } from './log.js';
import { type Claim, claimOf, type LogRecord } from './record.js';

export interface LogEndOptions {
  log: StreamLog;
  connection: ConnectionState;
  clock: Clock;
  identity: string;
  /** The log's last sequence; all up to it has been read. */
  lastSeq: number;
  /** Silence after which an outcome counts as unknown, milliseconds. */
  replyTimeoutMs: number;
  /** A message found in the log: true if it is one whose outcome was unknown, and has been dealt with. */
  onFound: (record: LogRecord) => boolean;
  /** A message that somebody else has put there. */
  onForeign: (record: LogRecord) => void;
  /** The end has moved without a record that matters. */
  onAdvance: (seq: number) => void;
}

/** Messages read at once. */
const batch = 64;

/**
 * The end of the log as one writer knows it, and the way to be sure of it: a claim. A claim that is taken behind the last
 * known message proves that there was nothing else, and, by the fences, that nothing that was sent before can come after.
 */
export class LogEnd {
  readonly #o: LogEndOptions;
  /** This writer, whatever others call themselves. */
  readonly #self: Claim;
  #ids = 0;
  /** The last sequence that is known and applied. */
  lastSeq: number;

  constructor(options: LogEndOptions) {
    this.#o = options;
    this.#self = { identity: options.identity, instance: nuid.next() };
    this.lastSeq = options.lastSeq;
  }

  /** A message id of this writer's own. */
  nextId(): string {
    return `${this.#self.instance}.${(this.#ids++).toString(36)}`;
  }

  /**
   * Claims the log. True: the claim is its end. False: there was more, which has been read; try again. Rejects with
   * `NotWriter` if another has claimed it, `LogDiverged`, or `StoreUnavailable`. `force`: claims wherever the end may be.
   */
  async claim(force: boolean): Promise<boolean> {
    const { log } = this.#o;
    const reply = await this.#o.connection.orLost(this.#append(force));
    if (reply.kind === 'stored') {
      // A forced claim: what came before it, others' last writes.
      await this.#readUpTo(reply.seq - 1);
      this.lastSeq = reply.seq;
      this.#o.onAdvance(reply.seq);
      return true;
    }
    if (reply.kind === 'fenced') {
      const last = await log.last(log.writerSubject);
      const claim = last && last.seq > this.lastSeq ? claimOf(last) : undefined;
      if (claim && claim.instance !== this.#self.instance) throw new NotWriter(claim.identity);
    }
    await this.#readUpTo(await log.lastSeq());
    if (reply.kind === 'refused') throw new StoreUnavailable('not-applied', reply.why);
    return false;
  }

  #append(force: boolean): Promise<AppendReply> {
    const { log, clock, replyTimeoutMs } = this.#o;
    const data = Buffer.from(JSON.stringify(this.#self));
    const message = { subject: log.writerSubject, op: 'claim', id: this.nextId(), data } as const;
    return new Promise((resolve, reject) => {
      const forget = log.append(message, force ? undefined : { lastSeq: this.lastSeq }, (reply) => {
        timer.cancel();
        resolve(reply);
      });
      const timer = clock.after(replyTimeoutMs, () => {
        forget();
        reject(new StoreUnavailable('unknown', 'no reply'));
      });
    });
  }

  /** Reads what is in the log up to `end` and is not known yet. */
  async #readUpTo(end: number): Promise<void> {
    if (end < this.lastSeq) throw new LogDiverged(`it ended at ${this.lastSeq}, and now at ${end}`);
    while (this.lastSeq < end) {
      const count = Math.min(batch, end - this.lastSeq);
      const seqs = Array.from({ length: count }, (_, i) => this.lastSeq + 1 + i);
      const records = await Promise.all(seqs.map((seq) => this.#o.log.get(seq)));
      for (const [i, record] of records.entries()) {
        this.lastSeq = seqs[i]!;
        if (!record || record.op === 'claim') this.#o.onAdvance(this.lastSeq);
        else if (!this.#o.onFound(record)) this.#o.onForeign(record);
      }
    }
  }
}
