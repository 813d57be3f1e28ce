import { type Clock, describeError, type Logger } from '@flotilla/base';
import { systemClock } from '@flotilla/host';
import type { Msg, NatsConnection } from 'nats';
import { Channel } from './channel.js';
import { receiveWindow } from './flow.js';
import { hear, type Link, linkOf } from './link.js';
import { ClientWatch } from './peers.js';
import { answerProbe } from './probe.js';
import type { Serving } from './serve-requests.js';
import { fromHeaders, h, type IncomingRequest, toHeaders } from './wire.js';

/** The server's end of a stream. */
export interface StreamSink {
  /** Accepts the stream. Without it, the first write accepts with status 200. */
  start(status: number, headers?: Record<string, string>): void;
  /** Answers with one whole response and no stream. At most what one NATS message holds. */
  refuse(status: number, headers: Record<string, string>, body: Uint8Array): void;
  /** Waits for credit; rejects when the stream is over. */
  write(frame: Uint8Array): Promise<void>;
  /** Frames from the client, for streams that go both ways. */
  readonly frames: AsyncIterable<Uint8Array>;
  /** Ends in good order; returning from the handler does too. */
  end(): void;
  /** Aborts when the client cancels or is lost. */
  readonly signal: AbortSignal;
}

export type StreamHandler = (request: IncomingRequest, sink: StreamSink) => Promise<void>;

/**
 * Serves streams on a subject such as `api.*.stream` or `node.<node>.logs`. A handler that rejects before it has started
 * is answered with status 500, later it ends the stream with an error. `stop` ends the streams under way.
 */
export function serveStreams(
  nc: NatsConnection,
  subject: string,
  handler: StreamHandler,
  options: { logger: Logger; clock?: Clock },
): Serving {
  const link = linkOf(nc);
  const clients = new ClientWatch(
    nc,
    options.clock ?? systemClock,
    `stream.${subject.split('.')[1] ?? '*'}.${link.instance}.ping`,
  );
  const running = new Map<ServedStream, Promise<void>>();
  const subscription = hear(nc, subject, (msg) => {
    const active = (request: string): boolean => [...running.keys()].some((stream) => stream.reply === request);
    if (answerProbe(msg, active)) return;
    const id = msg.headers?.get(h.stream) ?? '';
    if (!msg.reply || !/^\w+$/.test(id)) return;
    const stream = new ServedStream(link, clients, msg, id);
    running.set(
      stream,
      stream.run(handler, options.logger).finally(() => running.delete(stream)),
    );
  });
  return {
    async stop() {
      subscription.unsubscribe();
      for (const stream of running.keys()) stream.stop();
      await Promise.all(running.values());
      clients.stop();
    },
  };
}

class ServedStream implements StreamSink {
  readonly #link: Link;
  readonly #msg: Msg;
  readonly #request: IncomingRequest;
  readonly #channel: Channel;
  #answered = false;

  constructor(link: Link, clients: ClientWatch, msg: Msg, id: string) {
    this.#link = link;
    this.#msg = msg;
    const tokens = msg.subject.split('.');
    const headers = fromHeaders(msg.headers);
    this.#request = { tokens, headers, body: msg.data };
    const base = `stream.${tokens[1]}.${id}`;
    const forget: { fn?: () => void } = {};
    this.#channel = new Channel({
      link,
      receive: `${base}.up`,
      send: `${base}.down`,
      credit: Number(headers[h.credit] ?? 0),
      side: 'server',
      onClose: () => forget.fn?.(),
    });
    forget.fn = clients.add(headers[h.peer] ?? '', this.#channel);
  }

  /** Where the client waits for the answer. */
  get reply(): string {
    return this.#msg.reply ?? '';
  }

  get signal(): AbortSignal {
    return this.#channel.signal;
  }

  get frames(): AsyncIterable<Uint8Array> {
    this.#accept();
    return this.#channel.receiver;
  }

  start(status: number, headers: Record<string, string> = {}): void {
    this.#answer(new Uint8Array(), {
      ...headers,
      [h.status]: String(status),
      [h.peer]: this.#link.instance,
      [h.credit]: String(receiveWindow),
    });
  }

  refuse(status: number, headers: Record<string, string>, body: Uint8Array): void {
    this.#answer(body, { ...headers, [h.status]: String(status) });
    this.#channel.close();
  }

  write(frame: Uint8Array): Promise<void> {
    this.#accept();
    return this.#channel.sender.write(frame);
  }

  end(): void {
    this.#accept();
    this.#channel.end();
  }

  stop(): void {
    this.#channel.reset('the server is stopping');
  }

  async run(handler: StreamHandler, logger: Logger): Promise<void> {
    try {
      await handler(this.#request, this);
      this.end();
    } catch (error) {
      if (this.signal.aborted) return;
      logger.warn('a stream handler failed', { subject: this.#msg.subject, error: describeError(error) });
      if (!this.#answered) this.refuse(500, { [h.contentType]: 'text/plain' }, Buffer.from('internal error\n'));
      this.#channel.reset('the server has failed');
    }
  }

  #accept(): void {
    if (!this.#answered) this.start(200);
  }

  #answer(body: Uint8Array, headers: Record<string, string>): void {
    if (this.#answered) return;
    this.#answered = true;
    const respond = (): void => {
      if (!this.#link.nc.isClosed()) this.#msg.respond(body, { headers: toHeaders(headers) });
    };
    // If our connection was lost meanwhile, theirs may not be.
    if (this.#link.up) respond();
    else void this.#link.whenUp().then(respond);
  }
}
