import { Events, type NatsConnection } from 'nats';

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
