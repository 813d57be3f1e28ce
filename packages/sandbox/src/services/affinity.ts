import type { Backend } from './wanted.js';

/** Which backend each client was sent to, for a limited time (kube-proxy's ClientIP affinity). */
export class ClientAffinity {
  readonly #clients = new Map<string, { backend: Backend; until: number }>();

  /** The client's backend while it is still one of `backends` and its time (milliseconds) has not run out. */
  lookup(client: string, backends: readonly Backend[], now: number): Backend | undefined {
    const known = this.#clients.get(client);
    if (!known) return undefined;
    const still = backends.find(({ ip, port }) => ip === known.backend.ip && port === known.backend.port);
    if (still && now < known.until) return still;
    this.#clients.delete(client);
    return undefined;
  }

  remember(client: string, backend: Backend, until: number): void {
    // Re-inserting keeps the map in order of use, so that the oldest can be dropped.
    this.#clients.delete(client);
    this.#clients.set(client, { backend, until });
    if (this.#clients.size > 10_000) this.#clients.delete(this.#clients.keys().next().value!);
  }
}
