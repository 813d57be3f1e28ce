import { type Clock, describeError, type Logger, type Timer } from '@flotilla/base';
import type { Msg, Subscription } from 'nats';
import { type ConnectionState, hear } from './connection.js';
import type { StreamLog } from './log.js';
import { type LogRecord, opAndId } from './record.js';

const heartbeatMs = 1000;

export interface LogTailOptions {
  log: StreamLog;
  connection: ConnectionState;
  clock: Clock;
  logger: Logger;
  /** First sequence wanted. */
  from: number;
  onRecord: (record: LogRecord) => void;
}

/**
 * Reads the log in order from a sequence on, through one push consumer that is made anew after anything suspicious: a
 * lost connection, a gap in the consumer's own count, silence. Messages that were overwritten or removed are skipped.
 */
export class LogTail {
  readonly #options: LogTailOptions;
  #subscription: Subscription | undefined;
  #consumer = '';
  #delivered = 0;
  #next: number;
  #watchdog: Timer | undefined;
  #generation = 0;
  #stopped = false;
  #caughtUp = false;
  #onCaughtUp: (() => void)[] = [];

  constructor(options: LogTailOptions) {
    this.#options = options;
    this.#next = options.from;
    options.connection.onChange((up) => {
      if (up) void this.#restart('reconnected');
    });
  }

  /** The last sequence seen; later ones may exist. */
  get seen(): number {
    return this.#next - 1;
  }

  start(): void {
    void this.#restart('start');
  }

  /** Resolves when what was in the log at the time of (re)connecting has been read. */
  whenCaughtUp(): Promise<void> {
    return this.#caughtUp ? Promise.resolve() : new Promise((resolve) => this.#onCaughtUp.push(resolve));
  }

  stop(): void {
    this.#stopped = true;
    this.#drop();
  }

  /** Ends the present consumer; the server would notice only after a while. */
  #drop(): void {
    this.#watchdog?.cancel();
    this.#generation++;
    const { log, connection } = this.#options;
    this.#subscription?.unsubscribe();
    this.#subscription = undefined;
    if (this.#consumer && connection.up && !log.nc.isClosed()) {
      log.api(`CONSUMER.DELETE.${log.stream}.${this.#consumer}`, {}).catch(() => undefined);
    }
    this.#consumer = '';
  }

  async #restart(why: string): Promise<void> {
    if (this.#stopped || this.#options.log.nc.isClosed()) return;
    this.#drop();
    const generation = this.#generation;
    this.#caughtUp = false;
    this.#delivered = 0;
    const { log, logger } = this.#options;
    // Also covers a request below that never gets an answer.
    this.#watch();
    try {
      const inbox = log.newInbox();
      this.#subscription = hear(log.nc, inbox, (msg) => {
        if (generation === this.#generation) this.#onMessage(msg);
      });
      const info = await log.api<{ name: string; num_pending: number }>(`CONSUMER.CREATE.${log.stream}`, {
        stream_name: log.stream,
        config: consumerConfig(inbox, this.#next),
      });
      if (generation !== this.#generation) return;
      this.#consumer = info.name;
      if (info.num_pending === 0 && this.#delivered === 0) this.#reachedEnd();
    } catch (error) {
      logger.warn('cannot read the log, trying again', { why, error: describeError(error) });
    }
  }

  #watch(): void {
    this.#watchdog?.cancel();
    this.#watchdog = this.#options.clock.after(heartbeatMs * 3, () => void this.#restart('silence'));
  }

  #onMessage(msg: Msg): void {
    this.#watch();
    const status = msg.headers?.code ?? 0;
    if (status === 100) {
      // A flow control request wants an answer; an idle heartbeat has no reply subject.
      if (msg.reply) msg.respond();
      return;
    }
    const meta = parseMeta(msg.reply);
    if (!meta) return;
    if (meta.delivered !== this.#delivered + 1) return void this.#restart('gap');
    this.#delivered = meta.delivered;
    this.#next = meta.seq + 1;
    this.#options.onRecord({
      seq: meta.seq,
      subject: msg.subject,
      ...opAndId(msg.headers),
      data: msg.data,
      time: meta.time,
    });
    if (meta.pending === 0) this.#reachedEnd();
  }

  #reachedEnd(): void {
    this.#caughtUp = true;
    for (const resolve of this.#onCaughtUp.splice(0)) resolve();
  }
}

function consumerConfig(inbox: string, from: number): object {
  return {
    deliver_subject: inbox,
    deliver_policy: from <= 1 ? 'all' : 'by_start_sequence',
    ...(from <= 1 ? {} : { opt_start_seq: from }),
    ack_policy: 'none',
    replay_policy: 'instant',
    max_deliver: 1,
    flow_control: true,
    idle_heartbeat: heartbeatMs * 1_000_000,
    mem_storage: true,
    num_replicas: 1,
    // The server removes it this long after our connection is gone. Nanoseconds.
    inactive_threshold: 5_000_000_000,
  };
}

/**
 * `$JS.ACK.<stream>.<consumer>.<deliveries>.<stream seq>.<consumer seq>.<time>.<pending>`; newer servers put domain and
 * account hash in front of the stream and may append a token.
 */
function parseMeta(reply: string | undefined) {
  const tokens = reply?.split('.') ?? [];
  if (tokens[0] !== '$JS' || tokens.length < 9) return undefined;
  const [seq, delivered, time, pending] = tokens.slice(tokens.length >= 11 ? 7 : 5).map(Number);
  if (seq === undefined || delivered === undefined || time === undefined || pending === undefined) return undefined;
  return { seq, delivered, time: time / 1e6, pending };
}
