import { type core, formatMicroTime, leases, nodes, StatusError } from '@flotilla/api';
import { backoffDelay, type Clock, describeError, type Logger, type Random, sleep, type Timer } from '@flotilla/base';
import type { Client } from '@flotilla/client';
import type { AgentConfig } from '@flotilla/host';
import { type Machine, nodeObject, nodeStatus } from './describe.js';

/** The kubelet's own: how long a lease lasts, how often it is renewed, and how often the status is sent unasked. */
const leaseSeconds = 40;
const renewEvery = 10_000;
const statusEvery = 300_000;
const leaseNamespace = 'kube-node-lease';

export interface RegistrationOptions {
  config: AgentConfig;
  machine: Machine;
  client: Client;
  clock: Clock;
  random: Random;
  logger: Logger;
}

/** Makes the node known and keeps its status and lease fresh. */
export class Registration {
  readonly #options: RegistrationOptions;
  readonly #stop = new AbortController();
  readonly #timers = new Set<Timer>();
  #node: core.Node | undefined;
  #contradicting = false;

  constructor(options: RegistrationOptions) {
    this.#options = options;
  }

  /** Resolves when the API knows the node as Ready; tries until it does. */
  async start(): Promise<void> {
    await this.#insist('register the node', () => this.#register());
    this.#repeat(renewEvery, () => this.#renewLease());
    this.#repeat(statusEvery, () => this.#sendStatus());
    // The lease only matters once somebody waits for it.
    void this.#insist('create the lease', () => this.#renewLease()).catch(() => undefined);
  }

  /** Somebody else said that the node is not ready: it is. */
  async contradict(node: core.Node): Promise<void> {
    if (this.#contradicting) return;
    this.#contradicting = true;
    this.#node = node;
    await this.#insist('send the node status', () => this.#sendStatus()).catch(() => undefined);
    this.#contradicting = false;
  }

  stop(): void {
    this.#stop.abort(new Error('the agent stops'));
    for (const timer of this.#timers) timer.cancel();
  }

  async #register(): Promise<void> {
    const { config, machine, client } = this.#options;
    const wanted = nodeObject(config, machine);
    try {
      this.#node = await client.resource(nodes).create(wanted);
    } catch (error) {
      if (!(error instanceof StatusError) || error.reason !== 'AlreadyExists') throw error;
      // Ours from before: labels and addresses may have changed, what others set stays.
      const { metadata, spec } = wanted;
      const patch = { metadata: { labels: metadata.labels }, spec: { podCIDR: spec.podCIDR, podCIDRs: spec.podCIDRs } };
      this.#node = await client.resource(nodes).patch({ name: config.node }, patch, { type: 'merge' });
    }
    await this.#sendStatus();
  }

  async #sendStatus(): Promise<void> {
    const { config, machine, client, clock } = this.#options;
    const status = nodeStatus(config, machine, this.#node?.status, clock.now());
    const patch = { status };
    this.#node = await client
      .resource(nodes)
      .patch({ name: config.node }, patch, { type: 'strategic', subresource: 'status' });
  }

  async #renewLease(): Promise<void> {
    const { config, client, clock } = this.#options;
    const resource = client.resource(leases);
    const ref = { namespace: leaseNamespace, name: config.node };
    const spec = {
      holderIdentity: config.node,
      leaseDurationSeconds: leaseSeconds,
      renewTime: formatMicroTime(clock.now()),
    };
    try {
      await resource.patch(ref, { spec }, { type: 'merge' });
    } catch (error) {
      if (!(error instanceof StatusError) || error.httpStatus !== 404) throw error;
      const { name = '', uid = '' } = this.#node?.metadata ?? {};
      const ownerReferences = [{ apiVersion: 'v1', kind: 'Node', name, uid }];
      await resource.create({
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata: { ...ref, ...(uid ? { ownerReferences } : {}) },
        spec,
      });
    }
  }

  async #insist(what: string, fn: () => Promise<void>): Promise<void> {
    const { clock, random, logger } = this.#options;
    const { signal } = this.#stop;
    for (let failures = 1; !signal.aborted; failures++) {
      try {
        return await fn();
      } catch (error) {
        logger[failures % 20 === 1 ? 'warn' : 'debug'](`cannot ${what} yet`, { error: describeError(error) });
        await sleep(clock, backoffDelay({ base: 50, max: 2000, jitter: 0.5 }, failures, random), signal);
      }
    }
  }

  #repeat(ms: number, fn: () => Promise<void>): void {
    const { clock, logger } = this.#options;
    const timer = clock.after(ms, () => {
      this.#timers.delete(timer);
      if (this.#stop.signal.aborted) return;
      fn()
        .catch((error: unknown) => logger.warn('cannot renew', { error: describeError(error) }))
        .finally(() => this.#stop.signal.aborted || this.#repeat(ms, fn));
    });
    this.#timers.add(timer);
  }
}
