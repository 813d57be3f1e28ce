import type { Socket } from 'node:net';
import type { Clock, Logger, Random, Timer } from '@flotilla/base';
import {
  type CircuitBreakers,
  compileBreakers,
  type Host,
  hostKey,
  type HostReport,
  HostSet,
  mergeHosts,
  newHost,
  OutlierDetector,
} from '@flotilla/traffic';
import { ConnectionPool, dial, type DialError, type Endpoint, type PoolEvent } from '@flotilla/wire';
import type { RoutingPriority } from '@flotilla/xds';
import type { Assignment, ClusterSpec } from '../config/cluster-config.js';
import type { StatsRegistry } from '../stats/registry.js';
import { ClusterStats, type HostStats, newHostStats } from './stats.js';

/** How this pod reaches others. */
export interface NetworkView {
  /** Source of a connection to this address, or undefined to leave it to the system. */
  sourceFor(address: string): string | undefined;
  /** Where to dial for an address: the pod itself is reached at its private twin. */
  dialAddress(address: string): string;
}

export interface UpstreamPorts {
  registry: StatsRegistry;
  clock: Clock;
  random: Random;
  logger: Logger;
  network: NetworkView;
}

/** Milliseconds. */
const shunTime = 1000;

/** A cluster at work: its hosts, connections, limits and passive health checks. */
export class UpstreamCluster {
  readonly spec: ClusterSpec;
  readonly breakers: Record<RoutingPriority, CircuitBreakers>;
  readonly #ports: UpstreamPorts;
  readonly #pools: Partial<Record<RoutingPriority, ConnectionPool>> = {};
  readonly #outlier: OutlierDetector | undefined;
  readonly #hostStats = new WeakMap<Host, HostStats>();
  /** ORIGINAL_DST: hosts made on the way, by key. */
  readonly #original = new Map<string, Host>();
  readonly #shunned = new Map<Host, Timer>();
  #stats: ClusterStats | undefined;
  #set: HostSet;
  #tick: Timer | undefined;

  constructor(spec: ClusterSpec, ports: UpstreamPorts) {
    this.spec = spec;
    this.#ports = ports;
    this.breakers = compileBreakers(spec.config.circuit_breakers);
    this.#outlier = spec.outlier && new OutlierDetector(spec.outlier, ports.random);
    this.#set = this.#newSet(spec.assignment, []);
    if (spec.discovery === 'STATIC') this.update(spec.assignment);
    if (this.#outlier) this.#schedule();
  }

  get stats(): ClusterStats {
    return (this.#stats ??= new ClusterStats(this.#ports.registry, this.spec.name));
  }

  get hosts(): readonly Host[] {
    return this.spec.discovery === 'ORIGINAL_DST' ? [...this.#original.values()] : this.#set.hosts;
  }

  statsOf(host: Host): HostStats {
    let stats = this.#hostStats.get(host);
    if (!stats) {
      stats = newHostStats();
      this.#hostStats.set(host, stats);
    }
    return stats;
  }

  /** Takes a new assignment. Connections to hosts that are gone are closed once they are idle. */
  update(assignment: Assignment): void {
    const hosts = mergeHosts(this.#set.hosts, assignment.hosts);
    this.#set = this.#newSet(assignment, hosts);
    this.#outlier?.keep(hosts);
    const present = new Set(hosts);
    for (const pool of Object.values(this.#pools)) pool.prune((host) => present.has(host));
  }

  #newSet(assignment: Assignment, hosts: readonly Host[]): HostSet {
    const { kind, choiceCount, panicThreshold, byLocality } = this.spec.balance;
    const options = { kind, panicThreshold, overprovisioning: assignment.overprovisioning };
    return new HostSet(
      {
        ...options,
        ...(choiceCount === undefined ? {} : { choiceCount }),
        ...(byLocality ? { localityWeights: assignment.localityWeights } : {}),
      },
      this.#ports.random,
      hosts,
    );
  }

  /** A host for one attempt, or undefined if none is healthy. */
  pick(original: Endpoint, avoid?: (host: Host) => boolean, attempts = 1): Host | undefined {
    if (this.spec.discovery === 'ORIGINAL_DST') return this.#originalHost(original);
    const host = this.#set.pick(avoid, attempts);
    if (!host) this.stats.noneHealthy.inc();
    return host;
  }

  #originalHost({ address, port }: Endpoint): Host {
    const override = this.spec.config.original_dst_lb_config?.upstream_port_override;
    const key = hostKey(address, override ?? port);
    let host = this.#original.get(key);
    if (!host) {
      // Those that nobody uses any more go first; the map never grows past what is in use plus this.
      if (this.#original.size >= 1024)
        for (const [k, h] of this.#original) if (h.active === 0) this.#original.delete(k);
      host = newHost({ address, port: override ?? port });
      this.#original.set(key, host);
    }
    return host;
  }

  pool(priority: RoutingPriority): ConnectionPool {
    return (this.#pools[priority] ??= new ConnectionPool({
      dial: (host, signal) => this.dial(host, signal),
      limits: this.breakers[priority],
      clock: this.#ports.clock,
      idleTimeout: this.spec.idleTimeout,
      maxRequests: this.spec.maxRequestsPerConnection,
      on: (event, host) => this.#onPool(event, host),
    }));
  }

  /** Rejects with DialError. */
  dial(host: Host, signal?: AbortSignal): Promise<Socket> {
    const { address, port, localAddress } = this.route(host);
    return dial(
      {
        address,
        port,
        timeout: this.spec.connectTimeout,
        ...(localAddress === undefined ? {} : { localAddress }),
        ...(signal === undefined ? {} : { signal }),
      },
      this.#ports.clock,
    );
  }

  /** The address that is dialled for a host, and from where: for what does its own dialling (tunnels). */
  route(host: Host): { address: string; port: number; localAddress: string | undefined } {
    const { network } = this.#ports;
    const address = network.dialAddress(host.address);
    return { address, port: host.port, localAddress: network.sourceFor(address) };
  }

  /** What an attempt says about its host's health. */
  report(host: Host, report: HostReport): void {
    if (!this.#outlier) return;
    const { clock, logger } = this.#ports;
    if (!this.#outlier.report(host, report, this.#set.hosts.length, clock.monotonic())) return;
    this.stats.ejectionsTotal.inc();
    this.stats.ejections.set(this.#outlier.ejected);
    logger.info('host ejected', { cluster: this.spec.name, host: host.key });
    this.#set.rebuild();
  }

  /**
   * Prefers others for a second. Beyond Envoy: a host that refuses connections answers fastest of all, so that least
   * request would send it more and more, until the control plane says that it is gone.
   */
  shun(host: Host): void {
    if (this.spec.discovery === 'ORIGINAL_DST') return;
    const { clock } = this.#ports;
    this.#shunned.get(host)?.cancel();
    const back = (): void => {
      host.shunned = false;
      this.#shunned.delete(host);
      this.#set.rebuild();
    };
    this.#shunned.set(host, clock.after(shunTime, back));
    if (host.shunned) return;
    host.shunned = true;
    this.#set.rebuild();
  }

  #schedule(): void {
    const { clock } = this.#ports;
    this.#tick = clock.after(this.#outlier!.interval, () => {
      if (this.#outlier!.tick(clock.monotonic()).length > 0) {
        this.stats.ejections.set(this.#outlier!.ejected);
        this.#set.rebuild();
      }
      this.#schedule();
    });
  }

  #onPool(event: PoolEvent, host: Host): void {
    const { stats } = this;
    const hostStats = this.statsOf(host);
    switch (event) {
      case 'connect':
        this.connected(host);
        return;
      case 'close':
        this.disconnected(host);
        return;
      case 'lost':
        return this.shun(host);
      case 'connect_fail':
      case 'connect_timeout':
        this.shun(host);
        (event === 'connect_fail' ? stats.cxConnectFail : stats.cxConnectTimeout).inc();
        stats.cxTotal.inc();
        hostStats.cxConnectFail++;
        return;
      case 'pending':
        stats.rqPending.inc();
        stats.rqPendingTotal.inc();
        return;
      case 'pending_done':
        stats.rqPending.dec();
        return;
      case 'overflow':
        stats.rqPendingOverflow.inc();
        return;
      default:
        stats.cxOverflow.inc();
    }
  }

  connected(host: Host): void {
    const hostStats = this.statsOf(host);
    this.stats.cxTotal.inc();
    this.stats.cxActive.inc();
    hostStats.cxTotal++;
    hostStats.cxActive++;
    this.report(host, { local: 'connected' });
  }

  disconnected(host: Host): void {
    this.stats.cxActive.dec();
    this.stats.cxDestroy.inc();
    this.statsOf(host).cxActive--;
  }

  connectFailed(host: Host, error: DialError): void {
    this.shun(host);
    this.stats.cxTotal.inc();
    (error.reason === 'connection timeout' ? this.stats.cxConnectTimeout : this.stats.cxConnectFail).inc();
    this.statsOf(host).cxConnectFail++;
    this.report(host, { local: error.reason === 'connection timeout' ? 'timeout' : 'connect failed' });
  }

  /** Takes over the hosts of the cluster that this one replaces, so that their counts live on. Ejections are forgiven. */
  adopt(previous: UpstreamCluster): void {
    this.#stats = previous.#stats;
    const { hosts } = previous.#set;
    for (const host of hosts) host.ejected = host.shunned = false;
    if (this.#set.hosts.length === 0) this.#set = this.#newSet(this.spec.assignment, hosts);
  }

  /** Closes what is idle; requests under way end in peace. The statistics are kept for a successor. */
  close(): void {
    this.#tick?.cancel();
    for (const timer of this.#shunned.values()) timer.cancel();
    for (const pool of Object.values(this.#pools)) pool.close();
  }

  /** The cluster is gone for good: so are its statistics. */
  forget(): void {
    this.close();
    this.#stats?.scope.release();
  }
}
