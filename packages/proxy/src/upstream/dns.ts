import { Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import { type Clock, describeError, type Logger, type Timer } from '@flotilla/base';
import type { HostInit } from '@flotilla/traffic';
import type { Assignment, ClusterSpec } from '../config/cluster-config.js';

/** Resolves the names of a STRICT_DNS or LOGICAL_DNS cluster, again and again, until it is stopped. */
export class DnsWatch {
  readonly #spec: ClusterSpec;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #onAssignment: (assignment: Assignment) => void;
  readonly #resolver: Resolver;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(
    spec: ClusterSpec,
    server: string | undefined,
    ports: { clock: Clock; logger: Logger },
    onAssignment: (assignment: Assignment) => void,
  ) {
    this.#spec = spec;
    this.#clock = ports.clock;
    this.#logger = ports.logger;
    this.#onAssignment = onAssignment;
    this.#resolver = new Resolver({ timeout: 2000, tries: 2 });
    if (server) this.#resolver.setServers([server]);
    void this.#round();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  /** One look-up of every name. Names that cannot be resolved keep nobody: what is known of the others still counts. */
  async #round(): Promise<void> {
    const { assignment, discovery, dnsRefresh, name } = this.#spec;
    const found = await Promise.all(assignment.hosts.map((host) => this.#resolve(host)));
    if (this.#stopped) return;
    // LOGICAL_DNS uses the first address only: the name itself is one host.
    const hosts = found.flatMap((list) => (discovery === 'LOGICAL_DNS' ? (list ?? []).slice(0, 1) : (list ?? [])));
    const failed = found.every((list) => list === undefined);
    // A DNS server that does not answer is no reason to forget hosts.
    if (!failed || assignment.hosts.length === 0) this.#onAssignment({ ...assignment, hosts });
    else this.#logger.debug('names not resolved', { cluster: name });
    this.#timer = this.#clock.after(dnsRefresh, () => void this.#round());
  }

  async #resolve(host: HostInit): Promise<HostInit[] | undefined> {
    if (isIP(host.address)) return [host];
    try {
      const addresses = await this.#resolver.resolve4(host.address);
      return addresses.map((address) => ({ ...host, address }));
    } catch (error) {
      this.#logger.debug('name not resolved', { name: host.address, error: describeError(error) });
      return undefined;
    }
  }
}
