import * as api from '@flotilla/api';
import type { Clock, Logger, Random } from '@flotilla/base';
import { type Client, Informer } from '@flotilla/client';
import { IngressStatusUpdater } from './ingress-status.js';
import type { World, WorldKind, WorldObjects } from './world.js';

/** The gateway's service, whose address Ingresses get. */
const gatewayService = 'istio-system/istio-ingressgateway';

export interface KubeSourceOptions {
  readonly client: Client;
  readonly world: World;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Something that matters to the mesh has changed. */
  readonly onChange: () => void;
}

type Informers = { [K in WorldKind]: Informer<WorldObjects[K]> };

/** Keeps a `World` in step with the API, and the Ingresses' status in step with the world. */
export class KubeSource {
  readonly #options: KubeSourceOptions;
  readonly #informers: Informers;
  readonly #status: IngressStatusUpdater;

  constructor(options: KubeSourceOptions) {
    const { client, clock, random, logger } = options;
    const informer = <T extends api.KubeObject>(info: api.ResourceInfo<T>): Informer<T> =>
      new Informer(client, info, { clock, random, logger });
    this.#options = options;
    this.#informers = {
      services: informer(api.services),
      endpointSlices: informer(api.endpointSlices),
      pods: informer(api.pods),
      nodes: informer(api.nodes),
      ingresses: informer(api.ingresses),
      ingressClasses: informer(api.ingressClasses),
      gateways: informer(api.gateways),
      virtualServices: informer(api.virtualServices),
      destinationRules: informer(api.destinationRules),
    };
    const { ingresses, ingressClasses, services } = this.#informers;
    this.#status = new IngressStatusUpdater({
      client,
      clock,
      logger,
      ingress: (key) => ingresses.get(key),
      classes: () => ingressClasses.list(),
      gateway: () => services.get(gatewayService),
    });
    for (const kind of Object.keys(this.#informers) as WorldKind[]) this.#follow(kind);
    ingresses.onChange((key) => this.#status.add(key));
    ingressClasses.onChange(() => this.#allIngresses());
    services.onChange((key) => key === gatewayService && this.#allIngresses());
  }

  /** Resolves when everything that is there has been seen. */
  async start(): Promise<void> {
    const all = Object.values(this.#informers);
    for (const informer of all) informer.start();
    await Promise.all(all.map((informer) => informer.whenSynced()));
  }

  async stop(): Promise<void> {
    await Promise.all([this.#status.stop(), ...Object.values(this.#informers).map((informer) => informer.stop())]);
  }

  #follow<K extends WorldKind>(kind: K): void {
    const { world, onChange } = this.#options;
    const informer: Informers[K] = this.#informers[kind];
    informer.onChange((key, now) => {
      if (world.apply(kind, key, now as WorldObjects[K] | undefined)) onChange();
    });
  }

  #allIngresses(): void {
    for (const ingress of this.#informers.ingresses.list()) this.#status.add(api.keyOf(ingress));
  }
}
