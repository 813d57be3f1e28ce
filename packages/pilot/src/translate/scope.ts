import type { istio } from '@flotilla/api';
import { resolveHost } from '../model/host.js';
import type { Interception, Proxy } from '../model/proxy.js';
import { type Config, type ConfigSnapshot, isVisible, type Service } from '../model/snapshot.js';
import { meshGateway } from './names.js';
import { Problems } from './problems.js';
import { type HostRule, ruleFor } from './rules.js';

/** A VirtualService with full host names everywhere (Istio, ResolveVirtualServiceShortnames). */
export type Routing = Config<istio.VirtualServiceSpec> & {
  readonly hosts: readonly string[];
  readonly gateways: readonly string[];
};

/**
 * What a group of proxies with the same view sees of the mesh. Two proxies may share a scope when their namespace, type,
 * interception and every label that some rule asks about are the same (see `view-key.ts`).
 */
export class Scope {
  readonly config: ConfigSnapshot;
  readonly type: Proxy['type'];
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly interception: Interception;
  readonly http2: boolean;
  readonly headerDst: boolean;
  readonly problems = new Problems();
  /** Services that this namespace may see, in order of their host names. */
  readonly services: ReadonlyMap<string, Service>;
  readonly #rules = new Map<string, HostRule | undefined>();
  #routings: readonly Routing[] | undefined;

  constructor(
    config: ConfigSnapshot,
    proxy: Pick<Proxy, 'type' | 'namespace' | 'labels' | 'interception' | 'http2' | 'headerDst'>,
  ) {
    this.config = config;
    this.type = proxy.type;
    this.namespace = proxy.namespace;
    this.labels = proxy.labels;
    this.interception = proxy.interception;
    this.http2 = proxy.http2;
    this.headerDst = proxy.headerDst;
    const all = [...config.services].filter(([, s]) => isVisible(s.exportTo, s.namespace, proxy.namespace));
    this.services = all.length === config.services.size ? config.services : new Map(all);
  }

  service(hostname: string): Service | undefined {
    return this.services.get(hostname);
  }

  /** The DestinationRules that hold for a service here. */
  rule(service: Pick<Service, 'hostname' | 'namespace'>): HostRule | undefined {
    const key = service.hostname;
    if (!this.#rules.has(key)) this.#rules.set(key, ruleFor(this.config, service, this));
    return this.#rules.get(key);
  }

  /** VirtualServices that this namespace may see, oldest first. */
  get routings(): readonly Routing[] {
    this.#routings ??= this.config.virtualServices
      .filter(({ spec, namespace }) => isVisible(spec.exportTo, namespace, this.namespace))
      .map((rule) => resolveRouting(rule, this.config.domain));
    return this.#routings;
  }

  /** Those for sidecars. */
  get meshRoutings(): readonly Routing[] {
    return this.routings.filter(({ gateways }) => gateways.includes(meshGateway));
  }
}

const resolved = new WeakMap<Config<istio.VirtualServiceSpec>, Routing>();

function resolveRouting(rule: Config<istio.VirtualServiceSpec>, domain: string): Routing {
  let routing = resolved.get(rule);
  if (!routing) {
    const { hosts = [], gateways = [] } = rule.spec;
    routing = {
      ...rule,
      hosts: hosts.map((host) => resolveHost(host, rule.namespace, domain)),
      gateways: gateways.length === 0 ? [meshGateway] : gateways.map((name) => resolveGateway(name, rule.namespace)),
    };
    resolved.set(rule, routing);
  }
  return routing;
}

/** `namespace/name` of a gateway that a rule of `namespace` names; `mesh` stays itself. */
export function resolveGateway(name: string, namespace: string): string {
  return name === meshGateway || name.includes('/') ? name : `${namespace}/${name}`;
}
