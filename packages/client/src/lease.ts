import { type coordination, formatMicroTime, isStatus, leases } from '@flotilla/api';
import { type Clock, describeError, type Logger, type Random, sleep } from '@flotilla/base';
import type { Client, ResourceClient } from './client.js';

export interface LeaseTimes {
  /** How long others wait after the last renewal that they saw, seconds; 15 if absent. */
  leaseDuration?: number;
  /** How long the leader goes on without a successful renewal, seconds; 10 if absent. Must be less than leaseDuration. */
  renewDeadline?: number;
  /** Between attempts, seconds; 2 if absent. */
  retryPeriod?: number;
}

export interface LeaseElectorOptions extends LeaseTimes {
  client: Client;
  namespace: string;
  name: string;
  /** Unique per process start. */
  identity: string;
  clock: Clock;
  random?: Random;
  logger: Logger;
  /** The signal aborts when leading is over: stop at once. */
  onStartedLeading: (signal: AbortSignal) => void;
  onStoppedLeading?: () => void;
}

/** What is known of a lease: the record, and when (own monotonic clock, milliseconds) it was first seen as it is. */
export interface ObservedLease {
  spec: coordination.LeaseSpec;
  since: number;
}

export type LeaseStep =
  /** The lease to write, and whether that makes a new leader of us. */
  { act: 'create' | 'update'; spec: coordination.LeaseSpec } | { act: 'wait'; holder: string };

/**
 * Pure: what `identity` should do about the lease now. Clocks of other machines are not trusted: a lease is over when it has
 * not changed for its duration by our own clock (client-go `leaderelection`).
 */
export function decideLease(
  observed: ObservedLease | undefined,
  identity: string,
  leaseDuration: number,
  time: { monotonic: number; wall: number },
): LeaseStep {
  const renewTime = formatMicroTime(time.wall);
  const own = { holderIdentity: identity, leaseDurationSeconds: leaseDuration, renewTime };
  if (!observed) return { act: 'create', spec: { ...own, acquireTime: renewTime, leaseTransitions: 0 } };
  const { spec, since } = observed;
  if (spec.holderIdentity === identity) {
    return { act: 'update', spec: { ...spec, ...own, acquireTime: spec.acquireTime ?? renewTime } };
  }
  const over = time.monotonic >= since + (spec.leaseDurationSeconds ?? leaseDuration) * 1000;
  if (spec.holderIdentity && !over) return { act: 'wait', holder: spec.holderIdentity };
  const leaseTransitions = (spec.leaseTransitions ?? 0) + 1;
  return { act: 'update', spec: { ...spec, ...own, acquireTime: renewTime, leaseTransitions } };
}

/** Leader election by a Lease object: at most one of those that share a lease leads at any time. */
export class LeaseElector {
  readonly #options: Required<LeaseTimes> & LeaseElectorOptions;
  readonly #leases: ResourceClient<coordination.Lease>;
  readonly #stop = new AbortController();
  #observed: (ObservedLease & { lease: coordination.Lease }) | undefined;
  #leading: AbortController | undefined;
  #lastRenewal = 0;
  #running: Promise<void> | undefined;

  constructor(options: LeaseElectorOptions) {
    this.#options = { leaseDuration: 15, renewDeadline: 10, retryPeriod: 2, ...options };
    this.#leases = options.client.resource(leases);
  }

  get leading(): boolean {
    return this.#leading !== undefined;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Stops leading, and gives the lease back so that another need not wait for its end. */
  async stop(): Promise<void> {
    this.#stop.abort(new Error('the elector was stopped'));
    await this.#running;
    const wasLeading = this.leading;
    this.#setLeading(false);
    if (wasLeading) await this.#release();
  }

  async #run(): Promise<void> {
    const { clock, random, retryPeriod, renewDeadline, logger } = this.#options;
    while (!this.#stop.signal.aborted) {
      try {
        const held = await this.#attempt(
          AbortSignal.any([this.#stop.signal, AbortSignal.timeout(renewDeadline * 1000)]),
        );
        if (held) this.#lastRenewal = clock.monotonic();
        this.#setLeading(held);
      } catch (error) {
        logger.debug('cannot renew the lease', { lease: this.#options.name, error: describeError(error) });
        const overdue = clock.monotonic() - this.#lastRenewal > renewDeadline * 1000;
        if (this.leading && overdue) this.#setLeading(false);
      }
      const jitter = this.leading ? 0 : (random?.next() ?? 0) * 1.2;
      await sleep(clock, retryPeriod * 1000 * (1 + jitter), this.#stop.signal).catch(() => undefined);
    }
  }

  /** Reads and, if it is ours to take, writes the lease. Whether we hold it. */
  async #attempt(signal: AbortSignal): Promise<boolean> {
    const { clock, identity, leaseDuration, namespace, name } = this.#options;
    const deadline = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
    const work = async (): Promise<boolean> => {
      await this.#observe();
      const time = { monotonic: clock.monotonic(), wall: clock.now() };
      const step = decideLease(this.#observed, identity, leaseDuration, time);
      if (step.act === 'wait') return false;
      const metadata = step.act === 'create' ? { namespace, name } : this.#observed!.lease.metadata;
      const write = step.act === 'create' ? this.#leases.create : this.#leases.update;
      try {
        this.#see(await write.call(this.#leases, { metadata, spec: step.spec }));
        return true;
      } catch (error) {
        // Somebody else was faster.
        if (isStatus(error, 'Conflict') || isStatus(error, 'AlreadyExists')) return false;
        throw error;
      }
    };
    return Promise.race([work(), deadline]);
  }

  async #observe(): Promise<void> {
    const { namespace, name } = this.#options;
    try {
      this.#see(await this.#leases.get(name, namespace));
    } catch (error) {
      if (!isStatus(error, 'NotFound')) throw error;
      this.#observed = undefined;
    }
  }

  #see(lease: coordination.Lease): void {
    const same = this.#observed?.lease.metadata.resourceVersion === lease.metadata.resourceVersion;
    const since = same ? this.#observed!.since : this.#options.clock.monotonic();
    this.#observed = { lease, spec: lease.spec, since };
  }

  #setLeading(leading: boolean): void {
    if (leading === this.leading) return;
    const { logger, identity, name } = this.#options;
    if (leading) {
      this.#leading = new AbortController();
      logger.info('became leader', { lease: name, identity });
      this.#options.onStartedLeading(this.#leading.signal);
    } else {
      const term = this.#leading;
      this.#leading = undefined;
      logger.info('stopped leading', { lease: name, identity });
      term?.abort(new Error('no longer the leader'));
      this.#options.onStoppedLeading?.();
    }
  }

  async #release(): Promise<void> {
    const lease = this.#observed?.lease;
    if (!lease) return;
    const renewTime = formatMicroTime(this.#options.clock.now());
    const spec = { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime };
    await this.#leases.update({ ...lease, spec }).catch((error: unknown) => {
      this.#options.logger.debug('cannot give the lease back', { error: describeError(error) });
    });
  }
}
