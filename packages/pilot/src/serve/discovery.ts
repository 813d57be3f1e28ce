import { type Clock, describeError, type Logger, type Timer } from '@flotilla/base';
import type { DiscoveryRequest } from '@flotilla/xds';
import { Views } from '../translate/views.js';
import type { Snapshot } from '../model/snapshot.js';
import type { Problem } from '../translate/problems.js';
import { Connection } from './connection.js';
import { Debounce } from './debounce.js';
import type { Metrics } from './metrics.js';

export interface DiscoveryOptions {
  /** The present state of the mesh. */
  readonly snapshot: () => Snapshot;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** Pushes to this many proxies happen in one go; then others get a turn. */
const batch = 64;

/** All connected proxies, and the pushes to them. Knows nothing of gRPC. */
export class Discovery {
  readonly #options: DiscoveryOptions;
  readonly #views = new Views();
  readonly #connections = new Set<Connection>();
  readonly #debounce = new Debounce();
  readonly #known = new Set<string>();
  /** What is being pushed, or was last: requests in between are answered from it too. */
  #snapshot: Snapshot | undefined;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(options: DiscoveryOptions) {
    this.#options = options;
    const { metrics } = options;
    metrics.collect(() => {
      const { config } = this.#present();
      metrics.set('pilot_xds', this.#connections.size);
      metrics.set('pilot_services', config.services.size);
      metrics.set('pilot_virt_services', config.virtualServices.length);
      metrics.set('pilot_problems', this.problems().length);
    });
  }

  get connections(): ReadonlySet<Connection> {
    return this.#connections;
  }

  /** A proxy's stream has opened; `write` takes the bytes of responses. */
  open(write: (response: Uint8Array) => void): Connection {
    const { clock, logger, metrics } = this.#options;
    const snapshot = (): Snapshot => this.#present();
    const connection = new Connection({ views: this.#views, snapshot, clock, logger, metrics, write });
    this.#connections.add(connection);
    return connection;
  }

  receive(connection: Connection, request: DiscoveryRequest): void {
    connection.receive(request);
  }

  close(connection: Connection): void {
    if (this.#connections.delete(connection)) connection.close();
  }

  /** Something has changed: a push will follow. */
  changed(): void {
    if (this.#stopped) return;
    this.#debounce.changed(this.#options.clock.monotonic());
    if (!this.#timer) this.#arm();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    for (const connection of this.#connections) this.close(connection);
  }

  /** Rules that could not be followed, over all views in use. */
  problems(): Problem[] {
    const found = new Map<string, Problem>();
    for (const { view } of this.#connections) {
      for (const problem of view?.problems ?? []) found.set(`${problem.about}: ${problem.message}`, problem);
    }
    return [...found.values()];
  }

  #present(): Snapshot {
    this.#snapshot ??= this.#options.snapshot();
    return this.#snapshot;
  }

  #arm(): void {
    const due = this.#debounce.dueAt;
    if (due === undefined || this.#stopped) return;
    const delay = due - this.#options.clock.monotonic();
    this.#timer = this.#options.clock.after(Math.max(0, delay), () => {
      const now = this.#debounce.dueAt;
      // More changes came while we waited: wait for those too.
      if (now !== undefined && now > this.#options.clock.monotonic() + 1) return this.#arm();
      void this.#push();
    });
  }

  async #push(): Promise<void> {
    const { clock, metrics, logger } = this.#options;
    this.#snapshot = this.#options.snapshot();
    const changedAt = this.#debounce.take() ?? clock.monotonic();
    const started = clock.monotonic();
    let sent = 0;
    let count = 0;
    for (const connection of this.#connections) {
      try {
        sent += connection.update();
      } catch (error) {
        logger.error('push failed', { proxy: connection.proxy?.id, error: describeError(error) });
      }
      if (++count % batch === 0) await new Promise<void>((resolve) => void clock.after(0, resolve));
    }
    const ended = clock.monotonic();
    metrics.add('pilot_xds_push_time_seconds_sum', {}, (ended - started) / 1000);
    metrics.add('pilot_xds_push_time_seconds_count');
    metrics.set('pilot_convergence_seconds', (ended - changedAt) / 1000);
    logger.debug('pushed', {
      version: this.#snapshot.version,
      proxies: this.#connections.size,
      responses: sent,
      ms: Math.round(ended - started),
    });
    this.#tellProblems();
    this.#views.retain([...this.#connections].flatMap(({ view }) => view ?? []));
    this.#timer = undefined;
    this.#arm();
  }

  #tellProblems(): void {
    const present = new Set<string>();
    for (const { about, message } of this.problems()) {
      const text = `${about}: ${message}`;
      present.add(text);
      if (!this.#known.has(text)) this.#options.logger.warn('rule not followed', { about, message });
    }
    this.#known.clear();
    for (const text of present) this.#known.add(text);
  }
}
