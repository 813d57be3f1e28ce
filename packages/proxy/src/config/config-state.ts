import { isDeepStrictEqual } from 'node:util';
import { type Clock, describeError, type Logger } from '@flotilla/base';
import { compileRoutes, loadRegex, RegexNeeded, type Routes } from '@flotilla/traffic';
import type {
  Cluster,
  ClusterLoadAssignment,
  Listener,
  Resource,
  ResourceKind,
  RouteConfiguration,
} from '@flotilla/xds';
import { DnsWatch } from '../upstream/dns.js';
import { UpstreamCluster, type UpstreamPorts } from '../upstream/cluster.js';
import type { ListenerSet } from '../listener/listener-set.js';
import type { LogSinks } from './access-log.js';
import { type Assignment, type ClusterSpec, compileAssignment, compileCluster } from './cluster-config.js';
import { compileListener, type ListenerSpec } from './listener-config.js';
import { Warming } from './warming.js';

/** A resource as it was received, for `/config_dump`. */
export interface Kept<R> {
  resource: R;
  version: string;
  /** Milliseconds since the epoch. */
  at: number;
}

export interface ConfigPorts {
  clock: Clock;
  logger: Logger;
  sinks: LogSinks;
  upstream: UpstreamPorts;
  dnsServer: string | undefined;
  listeners: ListenerSet;
}

/** What came of an update: names to subscribe to are read from `endpointNames` and `routeNames` afterwards. */
export interface Applied {
  /** Field and reason of every resource that was refused; the others are in use. */
  errors: string[];
}

/**
 * The configuration at work. Each update is compiled first; what cannot be honoured is refused by name while the rest is
 * used. A cluster or listener is used only when its endpoints or routes have arrived, and until then its predecessor
 * stays (Envoy's warming): make before break.
 */
export class ConfigState {
  readonly clusters = new Map<string, UpstreamCluster>();
  readonly kept = {
    cluster: new Map<string, Kept<Cluster>>(),
    endpoint: new Map<string, Kept<ClusterLoadAssignment>>(),
    listener: new Map<string, Kept<Listener>>(),
    route: new Map<string, Kept<RouteConfiguration>>(),
  };
  readonly #ports: ConfigPorts;
  readonly #routes = new Map<string, Routes>();
  readonly #assignments = new Map<string, Assignment>();
  readonly #dns = new Map<string, DnsWatch>();
  readonly #warmingClusters: Warming<ClusterSpec>;
  readonly #warmingListeners: Warming<ListenerSpec>;
  readonly #received = new Set<ResourceKind>();

  constructor(ports: ConfigPorts) {
    this.#ports = ports;
    this.#warmingClusters = new Warming(ports.clock, (spec) => this.#useCluster(spec));
    this.#warmingListeners = new Warming(ports.clock, (spec) => this.#ports.listeners.put(spec));
  }

  routes(name: string): Routes | undefined {
    return this.#routes.get(name);
  }

  /** Everything that was sent first is in use: the proxy may say that it is ready. */
  get initialized(): boolean {
    const first = this.#received.has('cluster') && this.#received.has('listener');
    return first && this.#warmingClusters.size === 0 && this.#warmingListeners.size === 0;
  }

  /** What is waited for, for people who ask why the proxy is not ready. */
  get waitingFor(): string[] {
    const out: string[] = [];
    for (const kind of ['cluster', 'listener'] as const) if (!this.#received.has(kind)) out.push(`first ${kind}s`);
    for (const name of this.#warmingClusters.names()) out.push(`endpoints of ${name}`);
    for (const name of this.#warmingListeners.names()) out.push(`routes of listener ${name}`);
    return out;
  }

  warming(kind: 'cluster' | 'listener'): Iterable<string> {
    return kind === 'cluster' ? this.#warmingClusters.names() : this.#warmingListeners.names();
  }

  /** Names that EDS is to be asked for: of clusters in use and of those that wait. */
  endpointNames(): Set<string> {
    const names = new Set<string>();
    for (const { spec } of this.clusters.values()) if (spec.discovery === 'EDS') names.add(spec.edsName);
    for (const spec of this.#warmingClusters.values()) if (spec.discovery === 'EDS') names.add(spec.edsName);
    return names;
  }

  /** Names that RDS is to be asked for. */
  routeNames(): Set<string> {
    const names = new Set<string>();
    const take = (spec: ListenerSpec): void => {
      for (const { rds } of rdsOf(spec)) names.add(rds);
    };
    for (const { spec } of this.#ports.listeners.all()) take(spec);
    for (const spec of this.#warmingListeners.values()) take(spec);
    return names;
  }

  async apply(kind: ResourceKind, resources: ReadonlyMap<string, Resource>, version: string): Promise<Applied> {
    const errors: string[] = [];
    for (const [name, resource] of resources) {
      try {
        await this.#take(kind, name, resource, version);
      } catch (error) {
        errors.push(`${kind} ${name}: ${describeError(error)}`);
      }
    }
    if (kind === 'cluster') this.#removeClusters(resources);
    else if (kind === 'listener') this.#removeListeners(resources);
    this.#received.add(kind);
    this.#forgetUnused();
    return { errors };
  }

  /** Regular expressions are rare, and their engine is heavy: loaded when the first one comes. */
  async #take(kind: ResourceKind, name: string, resource: Resource, version: string): Promise<void> {
    try {
      this.#use(kind, name, resource, version);
    } catch (error) {
      if (!(error instanceof RegexNeeded)) throw error;
      await loadRegex();
      this.#use(kind, name, resource, version);
    }
  }

  #use(kind: ResourceKind, name: string, resource: Resource, version: string): void {
    if (kind === 'cluster') this.#cluster(name, resource as Cluster, version);
    else if (kind === 'endpoint') this.#endpoints(name, resource as ClusterLoadAssignment, version);
    else if (kind === 'listener') this.#listener(name, resource as Listener, version);
    else if (kind === 'route') this.#route(name, resource as RouteConfiguration, version);
  }

  /** Whether the resource is the one that is in use or warming already. */
  #unchanged(kind: 'cluster' | 'listener', name: string, resource: object): boolean {
    return isDeepStrictEqual(this.kept[kind].get(name)?.resource, resource);
  }

  #cluster(name: string, resource: Cluster, version: string): void {
    const spec = compileCluster(resource);
    if (this.#unchanged('cluster', name, resource)) return;
    this.kept.cluster.set(name, { resource, version, at: this.#ports.clock.now() });
    if (spec.discovery.endsWith('DNS')) {
      this.#dns.get(name)?.stop();
      this.#dns.set(name, new DnsWatch(spec, this.#ports.dnsServer, this.#ports, (a) => this.#resolved(spec, a)));
    }
    const waits = spec.discovery === 'EDS' && !this.#assignments.has(spec.edsName);
    if (waits) this.#warmingClusters.add(name, spec, spec.fetchTimeout);
    else this.#warmingClusters.use(name, spec);
  }

  #useCluster(spec: ClusterSpec): void {
    const before = this.clusters.get(spec.name);
    const cluster = new UpstreamCluster(spec, this.#ports.upstream);
    if (before) cluster.adopt(before);
    const assignment = this.#assignments.get(spec.edsName);
    if (spec.discovery === 'EDS' && assignment) cluster.update(assignment);
    this.clusters.set(spec.name, cluster);
    before?.close();
  }

  #resolved(spec: ClusterSpec, assignment: Assignment): void {
    const cluster = this.clusters.get(spec.name);
    if (cluster?.spec === spec) cluster.update(assignment);
  }

  #removeClusters(present: ReadonlyMap<string, unknown>): void {
    for (const name of this.kept.cluster.keys()) {
      if (present.has(name)) continue;
      this.kept.cluster.delete(name);
      this.#warmingClusters.drop(name);
      this.#dns.get(name)?.stop();
      this.#dns.delete(name);
      const cluster = this.clusters.get(name);
      this.clusters.delete(name);
      cluster?.forget();
    }
  }

  #endpoints(name: string, resource: ClusterLoadAssignment, version: string): void {
    const assignment = compileAssignment(resource, '');
    this.kept.endpoint.set(name, { resource, version, at: this.#ports.clock.now() });
    this.#assignments.set(name, assignment);
    for (const cluster of this.clusters.values()) {
      if (cluster.spec.discovery === 'EDS' && cluster.spec.edsName === name) cluster.update(assignment);
    }
    for (const spec of this.#warmingClusters.values()) {
      if (spec.edsName === name) this.#warmingClusters.use(spec.name, spec);
    }
  }

  #listener(name: string, resource: Listener, version: string): void {
    const spec = compileListener(resource, this.#ports.sinks);
    if (this.#unchanged('listener', name, resource)) return;
    this.kept.listener.set(name, { resource, version, at: this.#ports.clock.now() });
    const missing = rdsOf(spec).filter(({ rds }) => !this.#routes.has(rds));
    const timeouts = missing.map(({ fetchTimeout }) => fetchTimeout);
    if (missing.length === 0) this.#warmingListeners.use(name, spec);
    else this.#warmingListeners.add(name, spec, timeouts.includes(0) ? 0 : Math.max(...timeouts));
  }

  #removeListeners(present: ReadonlyMap<string, unknown>): void {
    for (const name of this.kept.listener.keys()) {
      if (present.has(name)) continue;
      this.kept.listener.delete(name);
      this.#warmingListeners.drop(name);
      this.#ports.listeners.remove(name);
    }
  }

  #route(name: string, resource: RouteConfiguration, version: string): void {
    // Exchanged as a whole, between two requests.
    this.#routes.set(name, compileRoutes(resource));
    this.kept.route.set(name, { resource, version, at: this.#ports.clock.now() });
    for (const spec of this.#warmingListeners.values()) {
      if (rdsOf(spec).every(({ rds }) => this.#routes.has(rds))) this.#warmingListeners.use(spec.name, spec);
    }
  }

  /** Endpoints and routes that nothing refers to any more are gone: SotW says so by not asking for them. */
  #forgetUnused(): void {
    const endpoints = this.endpointNames();
    for (const name of this.#assignments.keys()) {
      if (endpoints.has(name)) continue;
      this.#assignments.delete(name);
      this.kept.endpoint.delete(name);
    }
    const routes = this.routeNames();
    for (const name of this.#routes.keys()) {
      if (routes.has(name)) continue;
      this.#routes.delete(name);
      this.kept.route.delete(name);
    }
  }

  stop(): void {
    for (const watch of this.#dns.values()) watch.stop();
    for (const cluster of this.clusters.values()) cluster.close();
    this.#warmingClusters.stop();
    this.#warmingListeners.stop();
  }
}

function rdsOf(spec: ListenerSpec): { rds: string; fetchTimeout: number }[] {
  return spec.all.flatMap((chain) => (chain.kind === 'http' && 'rds' in chain.http.routes ? [chain.http.routes] : []));
}
