import { type Clock, sleep } from '@flotilla/base';
import { createInbox, Events, type Msg, type NatsConnection, nuid, type Subscription } from 'nats';
import { TransportError } from '../transport.js';

/** How long to wait for a lost connection before failing what has not been sent yet. Milliseconds. */
const patienceMs = 1000;

/** One question whose answers come back to an inbox of its own. */
interface Waiting {
  onMessage(msg: Msg): void;
  onDown(): void;
}

/**
 * What all requests and streams over one connection share: whether it is up, an inbox, and a name for this end of it.
 * Nothing is sent while the connection is down, and what waits for an answer is told at once when it goes down: NATS
 * itself would keep silent about both.
 */
export class Link {
  readonly nc: NatsConnection;
  /** Names this end to its peers; another one after a restart of the process. A NATS token. */
  readonly instance = nuid.next();
  readonly #inbox: string;
  readonly #waiting = new Map<string, Waiting>();
  readonly #onDown = new Set<() => void>();
  #whenUp: (() => void)[] = [];
  #up = true;
  #tokens = 0;

  constructor(nc: NatsConnection) {
    this.nc = nc;
    this.#up = !nc.isClosed();
    this.#inbox = createInbox(inboxPrefixOf(nc));
    if (!this.#up) return;
    hear(nc, `${this.#inbox}.*`, (msg) => this.#onReply(msg));
    void this.#follow();
    void nc.closed().then(() => this.#down());
  }

  get up(): boolean {
    return this.#up;
  }

  /** Largest body of one message, bytes, with room for subject and headers. */
  get maxBody(): number {
    return (this.nc.info?.max_payload ?? 1024 * 1024) - 8 * 1024;
  }

  /** A reply subject; `close` ends it. */
  expectReplies(waiting: Waiting): { subject: string; close: () => void } {
    const token = (this.#tokens++).toString(36);
    this.#waiting.set(token, waiting);
    return { subject: `${this.#inbox}.${token}`, close: () => void this.#waiting.delete(token) };
  }

  /** Calls back each time the connection is lost. Returns the way to stop that. */
  onDown(fn: () => void): () => void {
    this.#onDown.add(fn);
    return () => void this.#onDown.delete(fn);
  }

  /** Resolves when the connection is up; never, if it is closed for good. */
  whenUp(): Promise<void> {
    return this.#up ? Promise.resolve() : new Promise((resolve) => this.#whenUp.push(resolve));
  }

  /**
   * Resolves as soon as the connection is up; rejects with `TransportError` if it is not within a second. What has not been
   * sent can wait for a NATS server that is only being restarted.
   */
  async ready(clock: Clock, signal?: AbortSignal): Promise<void> {
    if (this.#up) return;
    const enough = new AbortController();
    const either = signal ? AbortSignal.any([signal, enough.signal]) : enough.signal;
    const late = sleep(clock, patienceMs, either).then(
      () => Promise.reject(new TransportError('unavailable', 'the NATS connection is down')),
      () => signal?.throwIfAborted(),
    );
    await Promise.race([this.whenUp(), late]);
    enough.abort();
  }

  async #follow(): Promise<void> {
    for await (const status of this.nc.status()) {
      if (status.type === Events.Disconnect) this.#down();
      else if (status.type === Events.Reconnect) {
        this.#up = true;
        for (const resolve of this.#whenUp.splice(0)) resolve();
      }
    }
  }

  #down(): void {
    if (!this.#up) return;
    this.#up = false;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const one of waiting) one.onDown();
    for (const fn of this.#onDown) fn();
  }

  #onReply(msg: Msg): void {
    this.#waiting.get(msg.subject.slice(this.#inbox.length + 1))?.onMessage(msg);
  }
}

const links = new WeakMap<NatsConnection, Link>();

/** The one link of a connection. */
export function linkOf(nc: NatsConnection): Link {
  let link = links.get(nc);
  if (!link) {
    link = new Link(nc);
    links.set(nc, link);
  }
  return link;
}

/**
 * Hears a subject. nats.js also calls back with an error and no message when the server forbids the subscription (which the
 * connection's own error status reports), and stops reading the connection, silently and for good, if a callback throws:
 * better that the process ends.
 */
export function hear(nc: NatsConnection, subject: string, onMessage: (msg: Msg) => void): Subscription {
  return nc.subscribe(subject, {
    callback: (error, msg) => {
      if (error) return;
      try {
        onMessage(msg);
      } catch (bug) {
        queueMicrotask(() => {
          throw bug;
        });
      }
    },
  });
}

/** NATS's own answer when nobody listens to a subject. */
export function isNoResponders(msg: Msg): boolean {
  return msg.data.length === 0 && msg.headers?.code === 503;
}

/** The connection's own inbox prefix, which permissions may insist on. It is not in nats.js's public type. */
function inboxPrefixOf(nc: object): string | undefined {
  if (!('options' in nc) || typeof nc.options !== 'object' || nc.options === null) return undefined;
  const { options } = nc;
  return 'inboxPrefix' in options && typeof options.inboxPrefix === 'string' ? options.inboxPrefix : undefined;
}
