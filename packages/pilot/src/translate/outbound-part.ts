import type { EncodedResource, Listener } from '@flotilla/xds';
import type { Proxy, ServiceTarget } from '../model/proxy.js';
import type { ConfigSnapshot } from '../model/snapshot.js';
import { commonClusters } from './cluster.js';
import type { ClusterCache } from './cluster-cache.js';
import { type Encoder, sameContent } from './encoder.js';
import { type Assignment, assignmentOf } from './endpoint.js';
import { type GatewayServer, gatewayServers } from './gateway-servers.js';
import { gatewayListeners } from './listener-gateway.js';
import { outboundListeners } from './listener-sidecar.js';
import type { Problem } from './problems.js';
import { gatewayRoutes } from './route-gateway.js';
import { sidecarRoutes } from './route-sidecar.js';
import { Scope } from './scope.js';

/** What proxies with the same view share: translated and encoded once for all of them. */
export class OutboundPart {
  readonly config: ConfigSnapshot;
  readonly clusters: ReadonlyMap<string, EncodedResource>;
  readonly listeners: ReadonlyMap<string, EncodedResource>;
  /** Clusters whose addresses come by EDS. */
  readonly edsClusters: readonly string[];
  readonly #scope: Scope;
  readonly #servers: readonly GatewayServer[];
  readonly #encoder: Encoder;
  readonly #routes = new Map<string, EncodedResource>();
  readonly #assignments = new Map<string, Assignment | undefined>();

  constructor(
    config: ConfigSnapshot,
    proxy: Proxy,
    targets: readonly ServiceTarget[],
    { encoder, clusters }: { encoder: Encoder; clusters: ClusterCache },
    before: OutboundPart | undefined,
  ) {
    this.config = config;
    this.#encoder = encoder;
    this.#scope = new Scope(config, proxy);
    this.#servers = proxy.type === 'router' ? gatewayServers(this.#scope, targets) : [];
    const listeners: Listener[] =
      proxy.type === 'router' ? gatewayListeners(this.#scope, this.#servers, targets) : outboundListeners(this.#scope);
    const byService = [...this.#scope.services.values()].map((service) => clusters.of(this.#scope, service));
    const common = commonClusters(this.#scope).map((cluster) => encoder.encode('cluster', cluster));
    const all = [...byService.flatMap(({ encoded }) => encoded), ...common];
    const byName = new Map(all.map((cluster) => [cluster.name, cluster]));
    this.edsClusters = byService.flatMap(({ eds }) => eds);
    this.clusters = before && sameContent(before.clusters, byName) ? before.clusters : byName;
    this.listeners = encoder.encodeAll('listener', listeners, before?.listeners);
  }

  /** Routes are made when a proxy asks for them. */
  route(name: string): EncodedResource {
    let route = this.#routes.get(name);
    if (!route) {
      const configuration =
        this.#scope.type === 'router'
          ? gatewayRoutes(this.#scope, this.#servers, name)
          : sidecarRoutes(this.#scope, name);
      route = this.#encoder.encode('route', configuration);
      this.#routes.set(name, route);
    }
    return route;
  }

  assignment(clusterName: string): Assignment | undefined {
    if (!this.#assignments.has(clusterName)) {
      this.#assignments.set(clusterName, assignmentOf(this.#scope, clusterName));
    }
    return this.#assignments.get(clusterName);
  }

  get problems(): Problem[] {
    return this.#scope.problems.list();
  }
}
