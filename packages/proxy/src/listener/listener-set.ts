import type { Socket } from 'node:net';
import { type Clock, describeError, errorCode, type Logger, type Timer } from '@flotilla/base';
import { listenTcp, type ListenSocket } from '@flotilla/wire';
import type { ListenerSpec } from '../config/listener-config.js';
import { ActiveListener, type ListenerEnvironment } from './listener.js';

/** A port we should be listening on. */
interface Door {
  address: string;
  port: number;
  /** Who takes what comes in: looked up per connection, so that a listener may be replaced under an open socket. */
  listener: string;
  socket?: ListenSocket;
  opening?: Promise<void>;
  retry?: Timer;
  failures: number;
}

export interface ListenerSetPorts {
  clock: Clock;
  logger: Logger;
  /** Where a listener's configured address is really bound. */
  bindAddress(address: string): string;
  environment: Omit<ListenerEnvironment, 'byAddress'>;
}

/**
 * All listeners. A changed listener takes over the open socket of its predecessor; a removed one closes it, and its
 * connections go on.
 */
export class ListenerSet {
  readonly #ports: ListenerSetPorts;
  readonly #environment: ListenerEnvironment;
  readonly #active = new Map<string, ActiveListener>();
  readonly #byAddress = new Map<string, ActiveListener>();
  readonly #doors = new Map<string, Door>();
  readonly #retired = new Set<ActiveListener>();
  #stopped = false;

  constructor(ports: ListenerSetPorts) {
    this.#ports = ports;
    this.#environment = {
      ...ports.environment,
      // Exact address first, then the port on any address, as Envoy.
      byAddress: (address, port) => this.#byAddress.get(`${address}_${port}`) ?? this.#byAddress.get(`0.0.0.0_${port}`),
    };
  }

  get(name: string): ActiveListener | undefined {
    return this.#active.get(name);
  }

  all(): Iterable<ActiveListener> {
    return this.#active.values();
  }

  /** Addresses that are bound, for `/listeners`. */
  bound(name: string): string[] {
    return [...this.#doors.values()]
      .filter((d) => d.listener === name && d.socket)
      .map((d) => `${d.address}:${d.port}`);
  }

  /** Connections open anywhere, replaced listeners included. */
  get connections(): number {
    let sum = 0;
    for (const listener of this.#active.values()) sum += listener.active;
    for (const listener of this.#retired) sum += listener.active;
    return sum;
  }

  /** Puts a listener to work in place of the one of its name. */
  put(spec: ListenerSpec): void {
    const before = this.#active.get(spec.name);
    const listener = new ActiveListener(spec, this.#environment);
    this.#active.set(spec.name, listener);
    if (before) this.#retire(before);
    this.#byAddress.set(`${spec.address}_${spec.port}`, listener);
    if (!spec.bind) return;
    const address = this.#ports.bindAddress(spec.address);
    for (const door of this.#doors.values()) {
      if (door.listener !== spec.name || !before || (door.address === address && door.port === spec.port)) continue;
      if (before.spec.port === door.port) this.close(door.address, door.port);
    }
    this.open(address, spec.port, spec.name);
  }

  remove(name: string): void {
    const listener = this.#active.get(name);
    if (!listener) return;
    this.#active.delete(name);
    this.#retire(listener);
    for (const door of this.#doors.values()) if (door.listener === name) this.close(door.address, door.port);
  }

  #retire(listener: ActiveListener): void {
    const key = `${listener.spec.address}_${listener.spec.port}`;
    if (this.#byAddress.get(key) === listener) this.#byAddress.delete(key);
    listener.retire();
    for (const old of this.#retired) if (old.active === 0) this.#retired.delete(old);
    this.#retired.add(listener);
  }

  /** Opens a door to a listener, unless it is open. A port that is taken is tried again. */
  open(address: string, port: number, listener: string): void {
    const key = `${address}:${port}`;
    if (this.#stopped || this.#doors.has(key)) return;
    const door: Door = { address, port, listener, failures: 0 };
    this.#doors.set(key, door);
    door.opening = this.#bind(door);
  }

  async #bind(door: Door): Promise<void> {
    const { clock, logger } = this.#ports;
    const key = `${door.address}:${door.port}`;
    try {
      const socket = await listenTcp(door.address, door.port, (incoming) => this.#onSocket(incoming, door.listener));
      // Closed again while it was being opened.
      if (this.#doors.get(key) !== door) return await socket.close();
      door.socket = socket;
    } catch (error) {
      if (this.#doors.get(key) !== door) return;
      door.failures++;
      logger.warn('cannot listen', { address: key, error: describeError(error), code: errorCode(error) });
      const wait = Math.min(2000, 50 * 2 ** Math.min(door.failures, 6));
      door.retry = clock.after(wait, () => (door.opening = this.#bind(door)));
    }
  }

  close(address: string, port: number): void {
    const key = `${address}:${port}`;
    const door = this.#doors.get(key);
    if (!door) return;
    this.#doors.delete(key);
    door.retry?.cancel();
    void door.socket?.close();
  }

  #onSocket(socket: Socket, name: string): void {
    const listener = this.#active.get(name);
    if (listener) listener.accept(socket);
    else socket.destroy();
  }

  /** Resolves when every door that is being opened has been tried. */
  async settled(): Promise<void> {
    for (const door of this.#doors.values()) await door.opening;
  }

  /** Whether all doors are open. */
  get allBound(): boolean {
    return [...this.#doors.values()].every((door) => door.socket !== undefined);
  }

  /** Takes no more connections; idle HTTP connections are closed. */
  drain(): void {
    this.#stopped = true;
    for (const door of this.#doors.values()) this.close(door.address, door.port);
    for (const listener of this.#active.values()) listener.retire();
  }

  destroy(): void {
    for (const listener of [...this.#active.values(), ...this.#retired]) listener.destroy();
  }
}
