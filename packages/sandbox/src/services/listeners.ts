import { createServer, type Server } from 'node:net';
import type { Clock, Logger, Random, Timer } from '@flotilla/base';
import { errorCode } from '@flotilla/base';
import { ClientAffinity } from './affinity.js';
import { MachineLock } from './machine-lock.js';
import { relay } from './relay.js';
import type { Backend, WantedListener } from './wanted.js';

export interface ServiceListenersOptions {
  clock: Clock;
  random: Random;
  logger: Logger;
  /** Told once for each address that the machine refuses us, e.g. a port below 1024 without privileges. */
  onRefused?: (listener: WantedListener, code: string) => void;
  /** Where the agents of a machine agree on who serves the shared addresses; absent: this one does. */
  lock?: { address: string; port: number };
  /** How often an address that somebody else holds is tried again, milliseconds; 200 if absent. */
  retryEvery?: number;
}

/** At most so many taken addresses are tried in one round. */
const triesPerRound = 16;

interface Entry {
  wanted: WantedListener;
  affinity: ClientAffinity | undefined;
  /** `waiting`: for the lock; `taken`: by another process; `refused`: for good. */
  state: 'waiting' | 'opening' | 'open' | 'taken' | 'refused';
  server: Server | undefined;
}

/**
 * kube-proxy in user space: listens on service addresses and relays each connection to an endpoint. Of several agents on
 * one machine one serves the shared addresses; when it dies another one does a moment later. An address that is still
 * taken is tried again until it is free.
 */
export class ServiceListeners {
  readonly #options: ServiceListenersOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #lock: MachineLock | undefined;
  #round: Timer | undefined;
  #stopped = false;

  constructor(options: ServiceListenersOptions) {
    this.#options = options;
    const { clock, lock } = options;
    this.#lock = lock && new MachineLock({ ...lock, clock, onHeld: () => this.#openShared() });
  }

  /** Makes the listeners be those of `wanted`. Connections that are open stay, whatever changes. */
  apply(wanted: ReadonlyMap<string, WantedListener>): void {
    if (this.#stopped) return;
    for (const [key, entry] of this.#entries) {
      if (wanted.has(key)) continue;
      this.#entries.delete(key);
      entry.server?.close();
    }
    for (const [key, listener] of wanted) {
      const entry = this.#entries.get(key);
      const affinity = listener.affinitySeconds === undefined ? undefined : new ClientAffinity();
      if (entry) {
        entry.wanted = listener;
        entry.affinity = affinity && (entry.affinity ?? affinity);
        continue;
      }
      const fresh: Entry = { wanted: listener, affinity, state: 'waiting', server: undefined };
      this.#entries.set(key, fresh);
      if (!listener.shared || this.#lock?.held !== false) this.#open(key, fresh);
    }
  }

  /** Addresses that this process holds now. */
  held(): string[] {
    return [...this.#entries].filter(([, entry]) => entry.state === 'open').map(([key]) => key);
  }

  stop(): void {
    this.#stopped = true;
    this.#lock?.stop();
    this.#round?.cancel();
    for (const entry of this.#entries.values()) entry.server?.close();
    this.#entries.clear();
  }

  #openShared(): void {
    for (const [key, entry] of this.#entries) if (entry.state === 'waiting') this.#open(key, entry);
  }

  #open(key: string, entry: Entry): void {
    const { address, port } = entry.wanted;
    const wasTaken = entry.state === 'taken';
    const server = createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true }, (client) => {
      const candidates = this.#candidates(entry, client.remoteAddress ?? '');
      relay(client, candidates, (backend) => this.#chosen(entry, client.remoteAddress ?? '', backend));
    });
    entry.server = server;
    entry.state = 'opening';
    server.once('listening', () => {
      if (this.#entries.get(key) !== entry) return void server.close();
      entry.state = 'open';
      this.#options.logger.debug('service address opened', { address: key, service: entry.wanted.owner });
      // Whoever held this one is gone, and so perhaps all else it held.
      if (wasTaken) this.#retrySoon(10, Number.POSITIVE_INFINITY);
    });
    server.on('error', (error) => this.#failed(key, entry, errorCode(error) ?? 'UNKNOWN'));
    server.listen({ host: address, port, backlog: 511 });
  }

  #failed(key: string, entry: Entry, code: string): void {
    if (this.#entries.get(key) !== entry || entry.state === 'open') return;
    entry.server = undefined;
    if (code === 'EADDRINUSE' || code === 'EMFILE') {
      entry.state = 'taken';
      if (!this.#round) this.#retrySoon(this.#options.retryEvery ?? 200, triesPerRound);
      return;
    }
    entry.state = 'refused';
    this.#options.logger.warn('service address refused', { address: key, service: entry.wanted.owner, code });
    this.#options.onRefused?.(entry.wanted, code);
  }

  #retrySoon(ms: number, limit: number): void {
    if (this.#stopped) return;
    this.#round?.cancel();
    this.#round = this.#options.clock.after(ms, () => {
      this.#round = undefined;
      this.#retry(limit);
    });
  }

  #retry(limit: number): void {
    if (this.#stopped) return;
    const taken = [...this.#entries].filter(([, entry]) => entry.state === 'taken');
    // Another part of them each round, so that none is forgotten.
    const from = taken.length > limit ? Math.floor(this.#options.random.next() * taken.length) : 0;
    for (let i = 0; i < Math.min(limit, taken.length); i++) {
      const [key, entry] = taken[(from + i) % taken.length]!;
      this.#open(key, entry);
    }
  }

  /** All backends in a random order, the client's own first where it has one. */
  #candidates(entry: Entry, client: string): Backend[] {
    const backends = [...entry.wanted.backends];
    for (let i = backends.length - 1; i > 0; i--) {
      const j = Math.floor(this.#options.random.next() * (i + 1));
      [backends[i], backends[j]] = [backends[j]!, backends[i]!];
    }
    const own = entry.affinity?.lookup(client, backends, this.#options.clock.now());
    return own ? [own, ...backends.filter((backend) => backend !== own)] : backends;
  }

  #chosen(entry: Entry, client: string, backend: Backend): void {
    const seconds = entry.wanted.affinitySeconds;
    if (seconds !== undefined) entry.affinity?.remember(client, backend, this.#options.clock.now() + seconds * 1000);
  }
}
