import type { Socket } from 'node:net';
import type { Clock } from '@flotilla/base';
import type { CircuitBreakers, Host } from '@flotilla/traffic';
import { DialError } from './dial.js';

export interface PoolOptions {
  dial(host: Host, signal: AbortSignal): Promise<Socket>;
  limits: CircuitBreakers;
  clock: Clock;
  /** Milliseconds an idle connection is kept; 0 is for ever. */
  idleTimeout: number;
  /** 0 is no limit. */
  maxRequests: number;
  /** For statistics. */
  on?(event: PoolEvent, host: Host): void;
}

export type PoolEvent =
  | 'connect'
  | 'connect_fail'
  | 'connect_timeout'
  | 'close'
  /** The upstream closed a connection that had been in use a moment ago: servers do so when they die or leave. */
  | 'lost'
  | 'pending'
  | 'pending_done'
  | 'overflow'
  | 'cx_overflow';

/** A connection on loan for one request. */
export interface Lease {
  socket: Socket;
  /** It has served a request before: the upstream may be closing it this very moment. */
  reused: boolean;
  /** Gives it back: to be used again, or to be closed. Only the first call counts. */
  release(reusable: boolean): void;
}

interface Connection {
  socket: Socket;
  host: Host;
  served: number;
  /** Its host is gone: not to be used again. */
  retired: boolean;
  idleSince: number;
}

interface Waiter {
  host: Host;
  wake(): void;
}

/**
 * HTTP/1 connections of one cluster, per host, under the cluster's limits. A request that finds no idle connection is
 * pending until one is dialled or given back; past the pending limit it overflows.
 */
export class ConnectionPool {
  readonly #options: PoolOptions;
  readonly #idle = new Map<string, Connection[]>();
  readonly #open = new Set<Connection>();
  readonly #waiting: Waiter[] = [];
  #closed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#open.size;
  }

  /**
   * An idle connection, if there is one.
   *
   * @param careful the request must not be lost to a connection that is about to be closed: only one that was in use
   * within the last second will do.
   */
  take(host: Host, careful: boolean): Lease | undefined {
    const ready = this.#takeIdle(host, careful);
    return ready && this.#lease(ready, true);
  }

  /** A new connection, or one that is given back meanwhile. Rejects with DialError, or the signal's reason. */
  async acquire(host: Host, signal: AbortSignal): Promise<Lease> {
    const { limits, on } = this.#options;
    if (!limits.pending.tryAcquire()) {
      on?.('overflow', host);
      throw new DialError('overflow', '');
    }
    on?.('pending', host);
    try {
      const freed = await this.#slot(host, signal);
      if (freed) return this.#lease(freed, true);
      return await this.#dial(host, signal);
    } finally {
      limits.pending.release();
      on?.('pending_done', host);
    }
  }

  /** Closes the idle connections of hosts that `keep` rejects; those in use are closed when they are given back. */
  prune(keep: (host: Host) => boolean): void {
    for (const connection of this.#open) {
      if (keep(connection.host)) continue;
      connection.retired = true;
      if (this.#removeIdle(connection)) connection.socket.destroy();
    }
  }

  close(): void {
    this.#closed = true;
    this.prune(() => false);
  }

  /** A connection that was given back, or undefined once one may be dialled. */
  async #slot(host: Host, signal: AbortSignal): Promise<Connection | undefined> {
    const { connections } = this.#options.limits;
    while (!connections.tryAcquire()) {
      // Another host's idle connection may make room.
      const spare = [...this.#idle.values()].find((list) => list.length > 0)?.[0];
      if (spare) {
        this.#removeIdle(spare);
        spare.socket.destroy();
        this.#forget(spare);
        continue;
      }
      this.#options.on?.('cx_overflow', host);
      await this.#wait(host, signal);
      const freed = this.#takeIdle(host, false);
      if (freed) return freed;
    }
    return undefined;
  }

  #wait(host: Host, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        host,
        wake() {
          signal.removeEventListener('abort', onAbort);
          resolve();
        },
      };
      const onAbort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        reject(signal.reason as Error);
      };
      if (signal.aborted) return reject(signal.reason as Error);
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiting.push(waiter);
    });
  }

  async #dial(host: Host, signal: AbortSignal): Promise<Lease> {
    const { on, limits } = this.#options;
    try {
      const socket = await this.#options.dial(host, signal);
      const connection: Connection = { socket, host, served: 0, retired: false, idleSince: 0 };
      this.#open.add(connection);
      socket.on('error', () => {});
      socket.once('close', () => this.#gone(connection));
      on?.('connect', host);
      return this.#lease(connection, false);
    } catch (error) {
      limits.connections.release();
      this.#waiting.shift()?.wake();
      if (!(error instanceof DialError)) throw error;
      on?.(error.reason === 'connection timeout' ? 'connect_timeout' : 'connect_fail', host);
      throw error;
    }
  }

  #lease(connection: Connection, reused: boolean): Lease {
    let held = true;
    return {
      socket: connection.socket,
      reused,
      release: (reusable) => {
        if (!held) return;
        held = false;
        this.#giveBack(connection, reusable);
      },
    };
  }

  #giveBack(connection: Connection, reusable: boolean): void {
    const { socket, host } = connection;
    connection.served++;
    const { maxRequests, clock } = this.#options;
    const worn = maxRequests > 0 && connection.served >= maxRequests;
    if (
      !reusable ||
      worn ||
      connection.retired ||
      this.#closed ||
      socket.destroyed ||
      !socket.writable ||
      socket.readableEnded
    ) {
      socket.destroy();
      return;
    }
    connection.idleSince = clock.monotonic();
    const list = this.#idle.get(host.key);
    if (list) list.push(connection);
    else this.#idle.set(host.key, [connection]);
    this.#watchIdle(connection);
    const next = this.#waiting.findIndex((waiter) => waiter.host === host);
    if (next >= 0) this.#waiting.splice(next, 1)[0]!.wake();
    else this.#waiting.shift()?.wake();
  }

  /** While it is idle, whatever the upstream says ends the connection: an end, an error, or bytes that nobody asked for. */
  #watchIdle(connection: Connection): void {
    const { socket } = connection;
    const drop = (): void => {
      this.#removeIdle(connection);
      socket.destroy();
    };
    const dropped = (): void => {
      this.#noteLoss(connection);
      drop();
    };
    socket.once('end', dropped).once('data', dropped);
    socket.resume();
    const { idleTimeout, clock } = this.#options;
    const timer = idleTimeout > 0 ? clock.after(idleTimeout, drop) : undefined;
    this.#unwatch.set(connection, () => {
      timer?.cancel();
      socket.off('end', dropped).off('data', dropped);
    });
  }

  readonly #unwatch = new WeakMap<Connection, () => void>();

  /** The most recently used one: it is the least likely to be closed by the other side. */
  #takeIdle(host: Host, careful: boolean): Connection | undefined {
    const list = this.#idle.get(host.key);
    const connection = list?.at(-1);
    if (!connection) return undefined;
    this.#removeIdle(connection);
    if (careful && this.#options.clock.monotonic() - connection.idleSince > 1000) {
      // The new connection takes its place: else every such request would leave one more behind.
      connection.socket.destroy();
      return undefined;
    }
    return connection;
  }

  #removeIdle(connection: Connection): boolean {
    const list = this.#idle.get(connection.host.key);
    const at = list?.indexOf(connection) ?? -1;
    if (!list || at < 0) return false;
    list.splice(at, 1);
    if (list.length === 0) this.#idle.delete(connection.host.key);
    this.#unwatch.get(connection)?.();
    return true;
  }

  /** An idle timeout is not that short. */
  #noteLoss({ host, idleSince }: Connection): void {
    const { clock, on } = this.#options;
    if (clock.monotonic() - idleSince < 1000) on?.('lost', host);
  }

  #gone(connection: Connection): void {
    if (this.#removeIdle(connection)) this.#noteLoss(connection);
    if (this.#forget(connection)) this.#waiting.shift()?.wake();
  }

  #forget(connection: Connection): boolean {
    if (!this.#open.delete(connection)) return false;
    this.#options.limits.connections.release();
    this.#options.on?.('close', connection.host);
    return true;
  }
}
