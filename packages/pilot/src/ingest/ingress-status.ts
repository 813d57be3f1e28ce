import { type core, ingresses, isStatus, keyOf, type networking } from '@flotilla/api';
import { type Clock, describeError, done, KeyedQueue, type Logger } from '@flotilla/base';
import type { Client } from '@flotilla/client';
import { isOurs } from './ingress.js';

/** What an Ingress of ours should say of its address: that of the gateway's service. Undefined when it says so already. */
export function decideStatus(
  ingress: networking.Ingress,
  classes: readonly networking.IngressClass[],
  gateway: core.Service | undefined,
): networking.IngressLoadBalancerStatus | undefined {
  if (!isOurs(ingress, classes) || ingress.metadata.deletionTimestamp) return undefined;
  const wanted = (gateway?.status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ({
    ...(ip ? { ip } : {}),
    ...(hostname ? { hostname } : {}),
  }));
  const present = (ingress.status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ({
    ...(ip ? { ip } : {}),
    ...(hostname ? { hostname } : {}),
  }));
  return JSON.stringify(wanted) === JSON.stringify(present) ? undefined : { ingress: wanted };
}

export interface IngressStatusOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly ingress: (key: string) => networking.Ingress | undefined;
  readonly classes: () => readonly networking.IngressClass[];
  /** The service of the ingress gateway. */
  readonly gateway: () => core.Service | undefined;
}

/** Keeps `status.loadBalancer` of our Ingresses true. Ask for a key whenever something it depends on has changed. */
export class IngressStatusUpdater {
  readonly #options: IngressStatusOptions;
  readonly #queue: KeyedQueue;

  constructor(options: IngressStatusOptions) {
    this.#options = options;
    this.#queue = new KeyedQueue({
      clock: options.clock,
      work: async (key) => {
        await this.#reconcile(key);
        return done;
      },
      backoff: { base: 100, max: 30_000 },
      onError: (key, error) =>
        options.logger.debug('ingress status not updated', { ingress: key, error: describeError(error) }),
    });
  }

  add(key: string): void {
    this.#queue.add(key);
  }

  stop(): Promise<void> {
    return this.#queue.stop();
  }

  async #reconcile(key: string): Promise<void> {
    const { client, ingress: find, classes, gateway } = this.#options;
    const ingress = find(key);
    if (!ingress) return;
    const loadBalancer = decideStatus(ingress, classes(), gateway());
    if (!loadBalancer) return;
    const { name = '', namespace } = ingress.metadata;
    try {
      await client
        .resource(ingresses)
        .patch({ name, namespace }, { status: { loadBalancer } }, { subresource: 'status' });
    } catch (error) {
      if (!isStatus(error, 'NotFound')) throw error;
    }
    this.#options.logger.debug('ingress status updated', { ingress: keyOf(ingress) });
  }
}
