import { type core, type discovery, endpointSlices, namespaces, services } from '@flotilla/api';
import type { Clock, Logger, Random } from '@flotilla/base';
import { type Client, Informer } from '@flotilla/client';
import type { ServiceView, ZoneData } from '@flotilla/sandbox';
import { serviceNameLabel, serviceView } from './views.js';

export interface ServiceWatchOptions {
  client: Client;
  clock: Clock;
  random: Random;
  logger: Logger;
}

/** Services and their endpoints, followed for DNS, the service listeners and the pods' variables. */
export class ServiceWatch implements ZoneData {
  readonly #services: Informer<core.Service>;
  readonly #slices: Informer<discovery.EndpointSlice>;
  readonly #namespaces: Informer<core.Namespace>;
  /** Views by `namespace/name`, made when asked for and thrown away when something of them changes. */
  readonly #views = new Map<string, ServiceView>();
  readonly #listeners = new Set<() => void>();

  constructor({ client, ...options }: ServiceWatchOptions) {
    this.#services = new Informer(client, services, options);
    this.#slices = new Informer(client, endpointSlices, options);
    this.#namespaces = new Informer(client, namespaces, options);
    this.#slices.addIndex('service', (slice) => [sliceService(slice)]);
    this.#services.addIndex('ip', ({ spec }) => (spec.clusterIP ? [spec.clusterIP] : []));
    this.#services.addIndex('namespace', ({ metadata }) => [metadata.namespace ?? '']);
    this.#services.onChange((key) => this.#changed(key));
    this.#slices.onChange((_key, now, before) => {
      for (const slice of [now, before]) if (slice) this.#changed(sliceService(slice));
    });
  }

  start(): void {
    for (const informer of [this.#services, this.#slices, this.#namespaces]) informer.start();
  }

  /** Resolves when the pods' variables can be told. */
  whenSynced(): Promise<void> {
    return this.#services.whenSynced();
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async stop(): Promise<void> {
    await Promise.all([this.#services.stop(), this.#slices.stop(), this.#namespaces.stop()]);
  }

  views(): ServiceView[] {
    return this.#services.list().map((service) => this.#view(service));
  }

  /** The object itself, for events about it. */
  find(namespace: string, name: string): core.Service | undefined {
    return this.#services.get(`${namespace}/${name}`);
  }

  service(namespace: string, name: string): ServiceView | undefined {
    const service = this.#services.get(`${namespace}/${name}`);
    return service && this.#view(service);
  }

  serviceByIP(ip: string): ServiceView | undefined {
    const [service] = this.#services.byIndex('ip', ip);
    return service && this.#view(service);
  }

  hasNamespace(name: string): boolean {
    return this.#namespaces.get(name) !== undefined;
  }

  /** Services whose variables a pod gets: the API server's always, those of its namespace with service links. */
  forPods(namespace: string, links: boolean): core.Service[] {
    const own = links ? this.#services.byIndex('namespace', namespace) : [];
    const master = this.#services.get('default/kubernetes');
    return master && !own.includes(master) ? [master, ...own] : own;
  }

  #view(service: core.Service): ServiceView {
    const key = `${service.metadata.namespace}/${service.metadata.name}`;
    let view = this.#views.get(key);
    if (!view) {
      view = serviceView(service, this.#slices.byIndex('service', key));
      this.#views.set(key, view);
    }
    return view;
  }

  #changed(key: string): void {
    this.#views.delete(key);
    for (const listener of this.#listeners) listener();
  }
}

function sliceService({ metadata }: discovery.EndpointSlice): string {
  return `${metadata.namespace}/${metadata.labels?.[serviceNameLabel] ?? ''}`;
}
