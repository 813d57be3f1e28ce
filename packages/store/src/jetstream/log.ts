import { errorCode } from '@flotilla/base';
import { createInbox, type Msg, type NatsConnection, type Subscription } from 'nats';
import { type ConnectionState, hear } from './connection.js';
import { LogDiverged, StoreUnavailable } from '../errors.js';
import { type Fence, type LogRecord, opAndIdOfText, type RecordOp, recordHeaders } from './record.js';

/** What JetStream said to an append. */
export type AppendReply =
  | { kind: 'stored'; seq: number; duplicate: boolean }
  /** The fence did not hold: something else is at the stream's end. Nothing was stored. */
  | { kind: 'fenced' }
  /** Refused, or there is no JetStream to take it. Nothing was stored. */
  | { kind: 'refused'; why: string };

interface ApiError {
  code: number;
  err_code?: number;
  description?: string;
}

interface StreamInfo {
  config: { subjects?: string[]; max_msgs_per_subject?: number; storage?: string; num_replicas?: number };
  state: { messages: number; first_seq: number; last_seq: number };
}

/** JetStream's error codes that mean something to us (nats-server `errors.json`). */
const errors = { streamNotFound: 10059, wrongLastSequence: 10071, wrongLastMsgId: 10070, noMessage: 10037 } as const;

export interface StreamLogOptions {
  stream: string;
  root: string;
  replicas: number;
}

/** The one stream that holds the state, and JetStream's API about it. Knows messages, not what they mean. */
export class StreamLog {
  readonly nc: NatsConnection;
  readonly stream: string;
  readonly root: string;
  readonly #connection: ConnectionState;
  readonly #replicas: number;
  readonly #inbox: string;
  readonly #replies = new Map<string, (reply: AppendReply) => void>();
  readonly #subscription: Subscription;
  #tokens = 0;

  constructor(nc: NatsConnection, connection: ConnectionState, options: StreamLogOptions) {
    this.nc = nc;
    this.#connection = connection;
    this.stream = options.stream;
    this.root = options.root;
    this.#replicas = options.replicas;
    this.#inbox = createInbox(inboxPrefixOf(nc));
    this.#subscription = hear(nc, `${this.#inbox}.*`, (msg) => this.#onReply(msg));
  }

  /** An inbox of this connection's own, for what JetStream pushes. */
  newInbox(): string {
    return createInbox(inboxPrefixOf(this.nc));
  }

  /** Largest body that a message may have, bytes: what the server takes, less room for headers and subject. */
  get maxBody(): number {
    return (this.nc.info?.max_payload ?? 1024 * 1024) - 1024;
  }

  /** The subject of claims. */
  get writerSubject(): string {
    return `${this.root}._writer`;
  }

  /** Creates the stream if it is missing, and checks that it is what we need. Returns its last sequence. */
  async ensure(): Promise<number> {
    const found = await this.#info();
    const info = found ?? (await this.#create());
    // Unknown fields are ignored silently by older servers, and somebody else may have made the stream: read it back.
    const { config } = info;
    if (config.max_msgs_per_subject !== 1 || !config.subjects?.includes(`${this.root}.>`)) {
      throw new LogDiverged(`stream ${this.stream} exists with another configuration (${JSON.stringify(config)})`);
    }
    return info.state.last_seq;
  }

  async lastSeq(): Promise<number> {
    const info = await this.#info();
    if (!info) throw new LogDiverged(`stream ${this.stream} is gone`);
    return info.state.last_seq;
  }

  /** The message at a sequence; undefined if it was overwritten, removed, or never existed. */
  get(seq: number): Promise<LogRecord | undefined> {
    return this.#getMessage({ seq });
  }

  last(subject: string): Promise<LogRecord | undefined> {
    return this.#getMessage({ last_by_subj: subject });
  }

  /** Removes one message; the sequence goes on. */
  async remove(seq: number): Promise<void> {
    await this.api<{ success: boolean }>(`STREAM.MSG.DELETE.${this.stream}`, { seq, no_erase: true });
  }

  /**
   * Sends a message to the end of the log. `onReply` is called at most once; there may never be a reply, and then the
   * outcome is unknown. Returns a way to stop listening.
   */
  append(
    message: { subject: string; op: RecordOp; id: string; data: Uint8Array },
    fence: Fence | undefined,
    onReply: (reply: AppendReply) => void,
  ): () => void {
    const token = (this.#tokens++).toString(36);
    this.#replies.set(token, onReply);
    try {
      this.nc.publish(message.subject, message.data, {
        reply: `${this.#inbox}.${token}`,
        headers: recordHeaders(message.op, message.id, fence),
      });
    } catch (error) {
      queueMicrotask(() => this.#settle(token, { kind: 'refused', why: String(error) }));
    }
    return () => void this.#replies.delete(token);
  }

  /** One request of JetStream's API; a refusal is an `ApiRefusal`, silence a `StoreUnavailable`. */
  async api<R>(verb: string, body: object): Promise<R> {
    let msg: Msg;
    try {
      const request = this.nc.request(`$JS.API.${verb}`, JSON.stringify(body), { timeout: 2000 });
      msg = await this.#connection.orLost(request);
    } catch (error) {
      if (error instanceof StoreUnavailable) throw error;
      throw new StoreUnavailable('not-applied', `JetStream: ${verb}: ${errorCode(error) ?? 'failed'}`, error);
    }
    const reply = JSON.parse(msg.string()) as R & { error?: ApiError };
    if (reply.error) throw new ApiRefusal(verb, reply.error);
    return reply;
  }

  close(): void {
    this.#subscription.unsubscribe();
    this.#replies.clear();
  }

  #onReply(msg: Msg): void {
    this.#settle(msg.subject.slice(this.#inbox.length + 1), parseReply(msg));
  }

  #settle(token: string, reply: AppendReply): void {
    const onReply = this.#replies.get(token);
    this.#replies.delete(token);
    onReply?.(reply);
  }

  #info(): Promise<StreamInfo | undefined> {
    return this.api<StreamInfo>(`STREAM.INFO.${this.stream}`, {}).catch(unless(errors.streamNotFound));
  }

  #create(): Promise<StreamInfo> {
    return this.api<StreamInfo>(`STREAM.CREATE.${this.stream}`, {
      name: this.stream,
      subjects: [`${this.root}.>`],
      retention: 'limits',
      storage: 'file',
      discard: 'old',
      num_replicas: this.#replicas,
      max_msgs_per_subject: 1,
      max_msgs: -1,
      max_bytes: -1,
      max_age: 0,
      max_msg_size: -1,
      max_consumers: -1,
      // Message ids are never sent twice; the server need not remember them for long. Nanoseconds.
      duplicate_window: 2_000_000_000,
    });
  }

  async #getMessage(which: object): Promise<LogRecord | undefined> {
    const reply = await this.api<{
      message: { subject: string; seq: number; hdrs?: string; data?: string; time: string };
    }>(`STREAM.MSG.GET.${this.stream}`, which).catch(unless(errors.noMessage));
    if (!reply) return undefined;
    const { subject, seq, hdrs, data, time } = reply.message;
    return {
      seq,
      subject,
      ...opAndIdOfText(Buffer.from(hdrs ?? '', 'base64').toString()),
      data: Buffer.from(data ?? '', 'base64'),
      time: Date.parse(time),
    };
  }
}

/** JetStream said no. */
export class ApiRefusal extends StoreUnavailable {
  readonly errCode: number;

  constructor(verb: string, error: ApiError) {
    super('not-applied', `JetStream refused ${verb}: ${error.description ?? error.code}`);
    this.errCode = error.err_code ?? error.code;
  }
}

const unless = (code: number) => (error: unknown) => {
  if (error instanceof ApiRefusal && error.errCode === code) return undefined;
  throw error;
};

function parseReply(msg: Msg): AppendReply {
  if (msg.data.length === 0) return { kind: 'refused', why: msg.headers?.description || 'no JetStream' };
  try {
    const reply = JSON.parse(msg.string()) as { seq?: number; duplicate?: boolean; error?: ApiError };
    const { error } = reply;
    if (error) {
      const fenced = error.err_code === errors.wrongLastSequence || error.err_code === errors.wrongLastMsgId;
      return fenced ? { kind: 'fenced' } : { kind: 'refused', why: error.description ?? String(error.code) };
    }
    return { kind: 'stored', seq: reply.seq ?? 0, duplicate: reply.duplicate ?? false };
  } catch (error) {
    return { kind: 'refused', why: `unreadable reply: ${String(error)}` };
  }
}

/** The connection's own inbox prefix, which permissions may insist on. It is not in nats.js's public type. */
function inboxPrefixOf(nc: object): string | undefined {
  if (!('options' in nc) || typeof nc.options !== 'object' || nc.options === null) return undefined;
  const { options } = nc;
  return 'inboxPrefix' in options && typeof options.inboxPrefix === 'string' ? options.inboxPrefix : undefined;
}
