import { Events, type Msg, type NatsConnection, type Subscription } from 'nats';

/** Whether the NATS connection is up, as an event. */
export class ConnectionState {
  #up = true;
  #listeners: ((up: boolean) => void)[] = [];

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
    for (const listener of this.#listeners) listener(up);
  }
}

/**
 * Hears a subject. nats.js also calls back with an error and no message when the server forbids the subscription (which the
 * connection's own error status reports), and stops reading the connection for good if a callback throws.
 */
export function hear(nc: NatsConnection, subject: string, onMessage: (msg: Msg) => void): Subscription {
  return nc.subscribe(subject, {
    callback: (error, msg) => {
      if (!error) onMessage(msg);
    },
  });
}
