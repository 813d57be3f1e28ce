import type { core, discovery, istio, KubeObject, networking } from '@flotilla/api';
import { parseTime } from '@flotilla/api';
import type {
  Config,
  ConfigSnapshot,
  Endpoint,
  EndpointSnapshot,
  Locality,
  Service,
  Snapshot,
  Workload,
} from '../model/snapshot.js';
import { endpointsOf, serviceNameLabel, type Slice, sliceOf } from './endpoints.js';
import { ingressRules, isOurs } from './ingress.js';
import { serviceOf } from './services.js';
import { localityOf, workloadOf } from './workloads.js';

/** The kinds of objects that configuration is made from. */
export interface WorldObjects {
  services: core.Service;
  endpointSlices: discovery.EndpointSlice;
  pods: core.Pod;
  nodes: core.Node;
  ingresses: networking.Ingress;
  ingressClasses: networking.IngressClass;
  gateways: istio.Gateway;
  virtualServices: istio.VirtualService;
  destinationRules: istio.DestinationRule;
}
export type WorldKind = keyof WorldObjects;

/**
 * The state of the mesh, built up from objects of the API as they come and go. Changes that do not matter to the mesh,
 * such as most of a pod's status, leave the snapshot as it is; endpoints change without the rest being looked at again.
 */
export class World {
  readonly #domain: string;
  readonly #rootNamespace: string;
  readonly #services = new Map<string, Service>();
  readonly #rules = {
    ingresses: new Map<string, networking.Ingress>(),
    ingressClasses: new Map<string, networking.IngressClass>(),
    gateways: new Map<string, Config<istio.GatewaySpec>>(),
    virtualServices: new Map<string, Config<istio.VirtualServiceSpec>>(),
    destinationRules: new Map<string, Config<istio.DestinationRuleSpec>>(),
  };
  readonly #slices = new Map<string, Map<string, Slice>>();
  readonly #pods = new Map<string, Workload & { readonly node: string }>();
  readonly #localities = new Map<string, Locality>();
  /** Services by the pods in their slices. */
  readonly #servicesOfPod = new Map<string, Set<string>>();
  readonly #staleEndpoints = new Set<string>();
  #configStale = true;
  #podsStale = true;
  #snapshot: Snapshot | undefined;

  constructor(options: { domain: string; rootNamespace: string }) {
    this.#domain = options.domain;
    this.#rootNamespace = options.rootNamespace;
  }

  /** Takes in one object, or its absence. True when the next snapshot will differ. */
  apply<K extends WorldKind>(kind: K, key: string, object: WorldObjects[K] | undefined): boolean {
    const now: KubeObject | undefined = object;
    switch (kind) {
      case 'services':
        return this.#setConfig(this.#services, key, now && serviceOf(now as core.Service, this.#domain));
      case 'pods':
        return this.#setPod(key, now && workloadOf(now as core.Pod));
      case 'nodes':
        return this.#setNode(key, now && localityOf(now as core.Node));
      case 'endpointSlices':
        return this.#setSlice(key, now as discovery.EndpointSlice | undefined);
      case 'ingresses':
        return this.#setConfig(this.#rules.ingresses, key, now && withoutStatus(now as networking.Ingress));
      case 'ingressClasses':
        return this.#setConfig(this.#rules.ingressClasses, key, now as networking.IngressClass | undefined);
      case 'gateways':
        return this.#setConfig(this.#rules.gateways, key, now && configOf(now as istio.Gateway));
      case 'virtualServices':
        return this.#setConfig(this.#rules.virtualServices, key, now && configOf(now as istio.VirtualService));
      default:
        return this.#setConfig(this.#rules.destinationRules, key, now && configOf(now as istio.DestinationRule));
    }
  }

  /** The present state; the same object as long as nothing that matters has changed. */
  snapshot(): Snapshot {
    const before = this.#snapshot;
    const config = this.#configStale || !before ? this.#buildConfig() : before.config;
    const endpoints = this.#buildEndpoints(before?.endpoints);
    const workloads = this.#podsStale || !before ? new Map(this.#pods) : before.workloads;
    this.#configStale = false;
    this.#podsStale = false;
    if (before?.config === config && before.endpoints === endpoints && before.workloads === workloads) return before;
    return (this.#snapshot = { version: (before?.version ?? 0) + 1, config, endpoints, workloads });
  }

  #setConfig<T>(map: Map<string, T>, key: string, now: T | undefined): boolean {
    if (!replace(map, key, now)) return false;
    this.#configStale = true;
    return true;
  }

  #setPod(key: string, now: (Workload & { readonly node: string }) | undefined): boolean {
    if (!replace(this.#pods, key, now)) return false;
    this.#podsStale = true;
    for (const service of this.#servicesOfPod.get(key) ?? []) this.#staleEndpoints.add(service);
    return true;
  }

  #setNode(key: string, now: Locality | undefined): boolean {
    if (!replace(this.#localities, key, now)) return false;
    for (const service of this.#slices.keys()) this.#staleEndpoints.add(service);
    return true;
  }

  #setSlice(key: string, object: discovery.EndpointSlice | undefined): boolean {
    const service = object ? serviceOfSlice(object) : this.#serviceHolding(key);
    if (service === undefined) return false;
    const slices = this.#slices.get(service) ?? new Map<string, Slice>();
    const before = slices.get(key);
    if (!replace(slices, key, object && sliceOf(object))) return false;
    if (slices.size > 0) this.#slices.set(service, slices);
    else this.#slices.delete(service);
    this.#indexPods(service, before, slices.values());
    this.#staleEndpoints.add(service);
    return true;
  }

  /** Keeps `#servicesOfPod` right after a slice of `service` has changed. */
  #indexPods(service: string, before: Slice | undefined, slices: Iterable<Slice>): void {
    for (const { pod = '' } of before?.endpoints ?? []) {
      const services = this.#servicesOfPod.get(pod);
      services?.delete(service);
      if (services?.size === 0) this.#servicesOfPod.delete(pod);
    }
    for (const { endpoints } of slices) {
      for (const { pod } of endpoints) {
        if (pod === undefined) continue;
        const services = this.#servicesOfPod.get(pod) ?? new Set();
        this.#servicesOfPod.set(pod, services.add(service));
      }
    }
  }

  #serviceHolding(sliceKey: string): string | undefined {
    for (const [service, slices] of this.#slices) if (slices.has(sliceKey)) return service;
    return undefined;
  }

  #buildConfig(): ConfigSnapshot {
    const services = [...this.#services.values()].sort((a, b) => (a.hostname < b.hostname ? -1 : 1));
    const ingresses = oldestFirst(
      [...this.#rules.ingresses.values()].filter((ingress) =>
        isOurs(ingress, [...this.#rules.ingressClasses.values()]),
      ),
      ({ metadata }) => parseTime(metadata.creationTimestamp) ?? 0,
      ({ metadata }) => `${metadata.namespace}/${metadata.name}`,
    );
    const fromIngress = ingressRules(ingresses, {
      namespace: this.#rootNamespace,
      domain: this.#domain,
      service: (key) => this.#services.get(key),
    });
    return {
      domain: this.#domain,
      rootNamespace: this.#rootNamespace,
      services: new Map(services.map((service) => [service.hostname, service])),
      gateways: byAge([...this.#rules.gateways.values(), ...fromIngress.gateways]),
      virtualServices: byAge([...this.#rules.virtualServices.values(), ...fromIngress.virtualServices]),
      destinationRules: byAge([...this.#rules.destinationRules.values()]),
    };
  }

  #buildEndpoints(before: EndpointSnapshot | undefined): EndpointSnapshot {
    const next = new Map<string, readonly Endpoint[]>(before);
    let changed = before === undefined;
    for (const service of this.#staleEndpoints) {
      const slices = this.#slices.get(service);
      const namespace = service.slice(0, service.indexOf('/'));
      const now = slices && endpointsOf(namespace, slices.values(), this.#pods, this.#localities);
      if (replace(next, service, now)) changed = true;
    }
    this.#staleEndpoints.clear();
    return changed ? next : before!;
  }
}

/** Puts `now` in place; false when it is what was there already. */
function replace<T>(map: Map<string, T>, key: string, now: T | undefined): boolean {
  const before = map.get(key);
  if (now === undefined) return map.delete(key);
  if (before !== undefined && JSON.stringify(before) === JSON.stringify(now)) return false;
  map.set(key, now);
  return true;
}

function serviceOfSlice({ metadata }: discovery.EndpointSlice): string | undefined {
  const name = metadata.labels?.[serviceNameLabel];
  return name === undefined ? undefined : `${metadata.namespace ?? ''}/${name}`;
}

function configOf<Spec>({ metadata, spec }: KubeObject & { spec: Spec }): Config<Spec> {
  const { name = '', namespace = '', creationTimestamp } = metadata;
  return { name, namespace, createdAt: parseTime(creationTimestamp) ?? 0, spec };
}

/** Our own status updates must not look like changes. */
function withoutStatus({ metadata, spec }: networking.Ingress): networking.Ingress {
  const { name = '', namespace = '', annotations = {}, creationTimestamp = '' } = metadata;
  return { metadata: { name, namespace, annotations, creationTimestamp }, spec, status: { loadBalancer: {} } };
}

function byAge<Spec>(rules: Config<Spec>[]): Config<Spec>[] {
  return oldestFirst(
    rules,
    ({ createdAt }) => createdAt,
    ({ namespace, name }) => `${namespace}/${name}`,
  );
}

/** Oldest first; of the same second, by name (Istio, sortConfigByCreationTime). */
function oldestFirst<T>(items: T[], age: (item: T) => number, name: (item: T) => string): T[] {
  return items.sort((a, b) => age(a) - age(b) || (name(a) < name(b) ? -1 : 1));
}
