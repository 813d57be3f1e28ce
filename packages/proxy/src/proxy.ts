import { randomUUID } from 'node:crypto';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import type { Server } from 'node:http';
import { type Clock, describeError, type Random, sleep } from '@flotilla/base';
import { AdsStream } from './ads/stream.js';
import { mergedMetrics } from './admin/merged-metrics.js';
import { type AdminHandler, serveAdmin, text } from './admin/http.js';
import { adminHandler, type AdminPorts } from './admin/routes.js';
import type { Bootstrap } from './bootstrap.js';
import type { LogSinks } from './config/access-log.js';
import { ConfigState } from './config/config-state.js';
import type { LeveledLogger } from './leveled-logger.js';
import { InboundCapture } from './listener/inbound-capture.js';
import { ListenerSet } from './listener/listener-set.js';
import { podNetwork } from './network.js';
import { Scope, StatsRegistry } from './stats/registry.js';
import { Telemetry } from './telemetry.js';

export interface ProxyPorts {
  clock: Clock;
  random: Random;
  logger: LeveledLogger;
  sinks: LogSinks;
  /** Ends the process (`/quitquitquit`). */
  quit(): void;
}

type State = 'INITIALIZING' | 'LIVE' | 'DRAINING';

/** The listener that takes what comes in from other pods, by Istio's name. */
const virtualInbound = 'virtualInbound';

/** One proxy: configuration from its control plane, listeners, clusters, and its own small servers. */
export class Proxy {
  readonly registry = new StatsRegistry();
  readonly config: ConfigState;
  readonly listeners: ListenerSet;
  readonly #bootstrap: Bootstrap;
  readonly #ports: ProxyPorts;
  readonly #ads: AdsStream;
  readonly #capture: InboundCapture | undefined;
  readonly #health = { failed: false };
  readonly #abort = new AbortController();
  readonly #startedAt: number;
  #servers: Server[] = [];
  #state: State = 'INITIALIZING';

  constructor(bootstrap: Bootstrap, ports: ProxyPorts) {
    const { clock, random, logger } = ports;
    this.#bootstrap = bootstrap;
    this.#ports = ports;
    this.#startedAt = clock.now();
    const network = podNetwork(bootstrap);
    const { registry } = this;
    this.listeners = new ListenerSet({
      clock,
      logger,
      bindAddress: (address) => network.bindAddress(address),
      environment: {
        clock,
        random,
        logger,
        registry,
        telemetry: new Telemetry(bootstrap, registry),
        hostname: bootstrap.pod,
        newRequestId: () => randomUUID(),
        clusters: { get: (name) => this.config.clusters.get(name) },
        routes: (name) => this.config.routes(name),
        stopping: () => this.#state === 'DRAINING',
      },
    });
    this.config = new ConfigState({
      clock,
      logger,
      sinks: ports.sinks,
      upstream: { registry, clock, random, logger, network },
      dnsServer: bootstrap.dns,
      listeners: this.listeners,
    });
    const { node, pilot } = bootstrap;
    const onApplied = (): void => this.#onApplied();
    this.#ads = new AdsStream({ ...pilot, node, clock, random, logger, registry, config: this.config, onApplied });
    const { loopback } = bootstrap;
    this.#capture =
      loopback?.captureDir && bootstrap.type === 'sidecar'
        ? new InboundCapture(loopback.captureDir, logger, (port, listening) => this.#onInboundPort(port, listening))
        : undefined;
  }

  get state(): State {
    return this.#state;
  }

  get connected(): boolean {
    return this.#ads.connected;
  }

  /** Starts everything; resolves when the proxy's own servers listen. Being ready is another matter: see `/ready`. */
  async start(): Promise<void> {
    // The control plane takes longest to answer: first.
    const ads = this.#ads.start();
    this.#capture?.start();
    await Promise.all([ads, ...this.#serveOwn()]);
  }

  #serveOwn(): Promise<void>[] {
    const { ports, podIP, loopback, appMetrics } = this.#bootstrap;
    const { clock, logger } = this.#ports;
    const { registry } = this;
    const scrape = (): ReturnType<AdminHandler> =>
      admin({ method: 'GET', path: '/stats/prometheus', query: new URLSearchParams() });
    const admin = adminHandler(this.#adminPorts());
    const ready: AdminHandler = () => admin({ method: 'GET', path: '/ready', query: new URLSearchParams() });
    const app = appMetrics && { address: loopback?.localIP ?? podIP, ...appMetrics };
    const handlers: [number, AdminHandler][] = [
      [ports.health, (request) => (request.path === '/healthz/ready' ? ready(request) : text('not found\n', 404))],
      [ports.admin, admin],
      [ports.merged, mergedMetrics(registry, app, ready)],
      [ports.prometheus, (request) => (request.path === '/stats/prometheus' ? scrape() : text('not found\n', 404))],
    ];
    const { signal } = this.#abort;
    return handlers.map(async ([port, handler]) => {
      try {
        this.#servers.push(await serveAdmin(podIP, port, handler, { clock, logger, signal }));
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    });
  }

  #adminPorts(): AdminPorts {
    const { clock, logger, quit } = this.#ports;
    return {
      node: this.#bootstrap.node,
      config: this.config,
      listeners: this.listeners,
      registry: this.registry,
      startedAt: this.#startedAt,
      now: () => clock.now(),
      state: () => this.#state,
      waitingFor: () => this.#waitingFor(),
      logLevel: { get: () => logger.level, set: (level) => logger.setLevel(level) },
      health: this.#health,
      drainListeners: () => this.listeners.drain(),
      quit,
    };
  }

  #waitingFor(): string[] {
    if (this.#state !== 'INITIALIZING') return [];
    if (!this.connected) return [`the control plane at ${this.#bootstrap.pilot.host}:${this.#bootstrap.pilot.port}`];
    const waiting = this.config.waitingFor;
    return waiting.length > 0 ? waiting : ['listeners to be bound'];
  }

  #onInboundPort(port: number, listening: boolean): void {
    const { podIP, ports } = this.#bootstrap;
    if (Object.values(ports).includes(port)) return;
    if (listening) this.listeners.open(podIP, port, virtualInbound);
    else this.listeners.close(podIP, port);
  }

  #onApplied(): void {
    if (this.#state !== 'INITIALIZING' || !this.config.initialized) return;
    void this.listeners.settled().then(() => {
      if (this.#state !== 'INITIALIZING' || !this.config.initialized) return;
      this.#state = 'LIVE';
      new Scope(this.registry, 'server', '', '').gauge('live').set(1);
      this.#ports.logger.info('ready', { ms: Math.round(performance.now()) });
      this.#noteReady();
    });
  }

  /** Probes are told of open ports by files (docs/architecture.md): the readiness port counts as open once it says yes. */
  #noteReady(): void {
    const dir = this.#bootstrap.loopback?.captureDir;
    if (!dir) return;
    try {
      mkdirSync(`${dir}/listening`, { recursive: true });
      closeSync(openSync(`${dir}/listening/${this.#bootstrap.ports.health}`, 'w'));
    } catch (error) {
      this.#ports.logger.debug('readiness not noted', { error: describeError(error) });
    }
  }

  /**
   * Takes no more connections, lets requests under way finish for at most the drain time, and ends. The readiness port
   * says no from the start.
   */
  async stop(): Promise<void> {
    this.#state = 'DRAINING';
    this.#capture?.stop();
    this.listeners.drain();
    const { clock } = this.#ports;
    const until = clock.monotonic() + this.#bootstrap.drain;
    while (this.listeners.connections > 0 && clock.monotonic() < until) await sleep(clock, 20);
    this.#abort.abort(new Error('the proxy is stopping'));
    this.#ads.stop();
    this.config.stop();
    this.listeners.destroy();
    for (const server of this.#servers) {
      server.close();
      server.closeAllConnections();
    }
  }
}
