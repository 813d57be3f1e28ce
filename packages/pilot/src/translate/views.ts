import { hash } from 'node:crypto';
import type { EncodedResource, ResourceKind, ResourceView } from '@flotilla/xds';
import { encodeResource } from '@flotilla/xds';
import { type Proxy, refreshProxy, serviceTargets } from '../model/proxy.js';
import type { ConfigSnapshot, Endpoint, EndpointSnapshot, Snapshot } from '../model/snapshot.js';
import { inboundClusters } from './cluster-inbound.js';
import { ClusterCache } from './cluster-cache.js';
import { Encoder, sameContent } from './encoder.js';
import { loadAssignment } from './endpoint.js';
import { type InboundPort, inboundPorts } from './inbound-ports.js';
import { virtualInbound } from './listener-inbound.js';
import { OutboundPart } from './outbound-part.js';
import type { Problem } from './problems.js';
import { viewKey } from './view-key.js';

type Encoded = ReadonlyMap<string, EncodedResource>;
interface InboundPart {
  readonly clusters: Encoded;
  readonly listeners: Encoded;
}

const none: Encoded = new Map();
const noEndpoints: readonly Endpoint[] = [];

/** From the state of the world to what each proxy should have, sharing whatever is the same. */
export class Views {
  readonly #encoder = new Encoder();
  readonly #clusters = new ClusterCache(this.#encoder);
  readonly #outbound = new Map<string, OutboundPart>();
  readonly #inbound = new Map<string, InboundPart>();
  readonly #joined = new WeakMap<Encoded, WeakMap<Encoded, Encoded>>();
  readonly #assignments = new WeakMap<readonly Endpoint[], Map<string, EncodedResource>>();
  /** The last map of all endpoints by view key. */
  readonly #endpoints = new Map<string, { part: OutboundPart; of: EndpointSnapshot; all: Encoded }>();
  #config: ConfigSnapshot | undefined;

  /** What `proxy` should have at `snapshot`. `before`, the proxy's last view, is given back when nothing has changed. */
  viewFor(proxy: Proxy, snapshot: Snapshot, before?: ProxyView): ProxyView {
    if (this.#config !== snapshot.config) {
      this.#config = snapshot.config;
      this.#encoder.nextGeneration();
    }
    const present = refreshProxy(proxy, snapshot);
    const targets = serviceTargets(present, snapshot);
    const key = viewKey(snapshot.config, present, targets);
    let outbound = this.#outbound.get(key);
    if (outbound?.config !== snapshot.config) {
      const tools = { encoder: this.#encoder, clusters: this.#clusters };
      outbound = new OutboundPart(snapshot.config, present, targets, tools, outbound);
      this.#outbound.set(key, outbound);
    }
    const inbound =
      proxy.type === 'sidecar' ? this.#inboundPart(inboundPorts(targets, present.http2), present) : undefined;
    const endpoints = this.#allEndpoints(key, outbound, snapshot.endpoints);
    const clusters = inbound ? this.#join(outbound.clusters, inbound.clusters) : outbound.clusters;
    const listeners = inbound ? this.#join(outbound.listeners, inbound.listeners) : outbound.listeners;
    if (before?.is(outbound, clusters, listeners, endpoints)) return before;
    const find = (name: string): EncodedResource => this.#assignment(outbound, name, snapshot.endpoints);
    return new ProxyView(String(snapshot.version), outbound, clusters, listeners, endpoints, find);
  }

  /** Forgets parts that no proxy in `views` uses. */
  retain(views: Iterable<ProxyView>): void {
    const used = new Set([...views].map(({ outbound }) => outbound));
    for (const [key, part] of this.#outbound) {
      if (used.has(part)) continue;
      this.#outbound.delete(key);
      this.#endpoints.delete(key);
    }
    if (this.#inbound.size > 2 * used.size + 100) this.#inbound.clear();
  }

  #inboundPart(ports: readonly InboundPort[], { interception, http2 }: Proxy): InboundPart {
    const key = JSON.stringify([interception, http2, ports]);
    let part = this.#inbound.get(key);
    if (!part) {
      part = {
        clusters: this.#encoder.encodeAll('cluster', inboundClusters(ports, interception), undefined),
        listeners: this.#encoder.encodeAll('listener', [virtualInbound(ports, http2)], undefined),
      };
      this.#inbound.set(key, part);
    }
    return part;
  }

  /** Both maps as one; the same one for the same two. */
  #join(outbound: Encoded, inbound: Encoded): Encoded {
    let row = this.#joined.get(outbound);
    if (!row) this.#joined.set(outbound, (row = new WeakMap()));
    let joined = row.get(inbound);
    if (!joined) row.set(inbound, (joined = new Map([...outbound, ...inbound])));
    return joined;
  }

  #allEndpoints(key: string, part: OutboundPart, endpoints: EndpointSnapshot): Encoded {
    const known = this.#endpoints.get(key);
    if (known?.part === part && known.of === endpoints) return known.all;
    const entries = part.edsClusters.map((name) => [name, this.#assignment(part, name, endpoints)] as const);
    const next: Encoded = new Map(entries);
    const all = known && sameContent(known.all, next) ? known.all : next;
    this.#endpoints.set(key, { part, of: endpoints, all });
    return all;
  }

  #assignment(part: OutboundPart, clusterName: string, endpoints: EndpointSnapshot): EncodedResource {
    const assignment = part.assignment(clusterName);
    const list = (assignment && endpoints.get(assignment.service)) ?? noEndpoints;
    let known = this.#assignments.get(list);
    if (!known) this.#assignments.set(list, (known = new Map()));
    const key = assignment
      ? `${clusterName}\n${assignment.portName}\n${JSON.stringify(assignment.labels)}`
      : clusterName;
    let encoded = known.get(key);
    if (!encoded) {
      const body = encodeResource('endpoint', loadAssignment(clusterName, assignment, endpoints));
      encoded = { name: clusterName, version: hash('sha1', body.value!, 'base64').slice(0, 16), body };
      known.set(key, encoded);
    }
    return encoded;
  }
}

/** What one proxy should have. */
export class ProxyView implements ResourceView {
  readonly version: string;
  readonly outbound: OutboundPart;
  readonly #clusters: Encoded;
  readonly #listeners: Encoded;
  readonly #endpoints: Encoded;
  readonly #assignment: (clusterName: string) => EncodedResource;

  constructor(
    version: string,
    outbound: OutboundPart,
    clusters: Encoded,
    listeners: Encoded,
    endpoints: Encoded,
    assignment: (clusterName: string) => EncodedResource,
  ) {
    this.version = version;
    this.outbound = outbound;
    this.#clusters = clusters;
    this.#listeners = listeners;
    this.#endpoints = endpoints;
    this.#assignment = assignment;
  }

  is(outbound: OutboundPart, clusters: Encoded, listeners: Encoded, endpoints: Encoded): boolean {
    return (
      this.outbound === outbound &&
      this.#clusters === clusters &&
      this.#listeners === listeners &&
      this.#endpoints === endpoints
    );
  }

  token(kind: ResourceKind): unknown {
    return kind === 'route' ? this.outbound : this.all(kind);
  }

  all(kind: ResourceKind): Encoded {
    if (kind === 'cluster') return this.#clusters;
    if (kind === 'listener') return this.#listeners;
    return kind === 'endpoint' ? this.#endpoints : none;
  }

  find(kind: ResourceKind, name: string): EncodedResource | undefined {
    if (kind === 'route') return this.outbound.route(name);
    // A cluster that is gone still gets its answer: no addresses, rather than silence.
    if (kind === 'endpoint') return this.#endpoints.get(name) ?? this.#assignment(name);
    return this.all(kind).get(name);
  }

  get problems(): Problem[] {
    return this.outbound.problems;
  }
}
