import { Events, type Msg, type NatsConnection, type Subscription } from 'nats';
import { StoreUnavailable } from '../errors.js';

/** Whether the NATS connection is up, as an event. */
export class ConnectionState {
  #up = true;
  #listeners: ((up: boolean) => void)[] = [];
  readonly #waiting = new Set<(error: StoreUnavailable) => void>();

  constructor(nc: NatsConnection) {
    void this.#follow(nc);
    void nc.closed().then(() => this.#set(false));
  }

  get up(): boolean {
    return this.#up;
  }

  onChange(listener: (up: boolean) => void): void {
    this.#listeners.push(listener);
  }

  /** `work`, or `StoreUnavailable` as soon as the connection is lost, as NATS would not tell that no answer will come. */
  async orLost<R>(work: Promise<R>): Promise<R> {
    let lost: ((error: StoreUnavailable) => void) | undefined;
    try {
      return await Promise.race([
        work,
        new Promise<never>((_, reject) => {
          lost = reject;
          this.#waiting.add(reject);
        }),
      ]);
    } finally {
      if (lost) this.#waiting.delete(lost);
    }
  }

  close(): void {
    this.#listeners = [];
  }

  async #follow(nc: NatsConnection): Promise<void> {
    for await (const status of nc.status()) {
      if (status.type === Events.Disconnect) this.#set(false);
      else if (status.type === Events.Reconnect) this.#set(true);
    }
  }

  #set(up: boolean): void {
    if (this.#up === up) return;
    this.#up = up;
    for (const reject of up ? [] : this.#waiting) reject(new StoreUnavailable('unknown', 'connection lost'));
    for (const listener of this.#listeners) listener(up);
  }
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
