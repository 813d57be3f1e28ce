import type { Random } from '@flotilla/base';
import { durationMs, type OutlierDetection } from '@flotilla/xds';
import type { Host } from './host.js';
import { refuse } from './invalid.js';

export interface OutlierPolicy {
  consecutive5xx: number;
  enforce5xx: number;
  consecutiveGateway: number;
  enforceGateway: number;
  consecutiveLocal: number;
  enforceLocal: number;
  /** Local errors (no connection, timeout) count by themselves instead of as 503 and 504. */
  splitLocal: boolean;
  /** Milliseconds. */
  interval: number;
  baseEjection: number;
  maxEjection: number;
  /** Percent of the hosts. */
  maxPercent: number;
  alwaysOne: boolean;
}

export function compileOutlier(config: OutlierDetection, path: string): OutlierPolicy {
  refuse(path, config, ['monitors']);
  if ((config.enforcing_success_rate ?? 0) > 0) refuse(path, config, ['enforcing_success_rate']);
  if ((config.enforcing_failure_percentage ?? 0) > 0) refuse(path, config, ['enforcing_failure_percentage']);
  const base = durationMs(config.base_ejection_time) ?? 30_000;
  return {
    consecutive5xx: config.consecutive_5xx ?? 5,
    enforce5xx: (config.enforcing_consecutive_5xx ?? 100) / 100,
    consecutiveGateway: config.consecutive_gateway_failure ?? 5,
    enforceGateway: (config.enforcing_consecutive_gateway_failure ?? 0) / 100,
    consecutiveLocal: config.consecutive_local_origin_failure ?? 5,
    enforceLocal: (config.enforcing_consecutive_local_origin_failure ?? 100) / 100,
    splitLocal: config.split_external_local_origin_errors ?? false,
    interval: durationMs(config.interval) ?? 10_000,
    baseEjection: base,
    maxEjection: Math.max(base, durationMs(config.max_ejection_time) ?? 300_000),
    maxPercent: config.max_ejection_percent ?? 10,
    alwaysOne: config.always_eject_one_host ?? false,
  };
}

/** What one attempt says about its host. */
export type HostReport = { status: number } | { local: 'connected' | 'connect failed' | 'timeout' | 'reset' };

interface HostRecord {
  run5xx: number;
  runGateway: number;
  runLocal: number;
  /** How often it was ejected lately: multiplies the ejection time. */
  ejections: number;
  ejectedAt: number;
}

/**
 * Passive health checking of one cluster (Envoy, "Outlier detection"): ejects hosts by consecutive failures, and lets
 * them back after base time × ejections. Times are milliseconds of a monotonic clock.
 */
export class OutlierDetector {
  readonly #policy: OutlierPolicy;
  readonly #random: Random;
  readonly #records = new Map<Host, HostRecord>();
  #ejected = 0;

  constructor(policy: OutlierPolicy, random: Random) {
    this.#policy = policy;
    this.#random = random;
  }

  get interval(): number {
    return this.#policy.interval;
  }

  get ejected(): number {
    return this.#ejected;
  }

  /** Forgets hosts that are gone. */
  keep(hosts: readonly Host[]): void {
    const present = new Set(hosts);
    for (const host of this.#records.keys()) {
      if (present.has(host)) continue;
      if (host.ejected) this.#ejected--;
      this.#records.delete(host);
    }
  }

  /** Counts the report; true if the host was ejected by it. `total` is the number of the cluster's hosts. */
  report(host: Host, report: HostReport, total: number, now: number): boolean {
    const record = this.#of(host);
    const cause = this.#count(record, report);
    if (!cause || host.ejected) return false;
    const enforce = this.#enforcement(cause);
    record[cause] = 0;
    if (!(enforce >= 1 || this.#random.next() < enforce)) return false;
    const none = this.#ejected === 0 && this.#policy.alwaysOne;
    if (!none && (100 * (this.#ejected + 1)) / Math.max(1, total) > this.#policy.maxPercent) return false;
    host.ejected = true;
    record.ejections++;
    record.ejectedAt = now;
    this.#ejected++;
    return true;
  }

  /** To be called every `interval`: returns the hosts that are let back. */
  tick(now: number): Host[] {
    const back: Host[] = [];
    for (const [host, record] of this.#records) {
      if (!host.ejected) {
        // A host that behaves is forgiven step by step.
        if (record.ejections > 0) record.ejections--;
        continue;
      }
      const time = Math.min(this.#policy.baseEjection * record.ejections, this.#policy.maxEjection);
      if (now - record.ejectedAt < time) continue;
      host.ejected = false;
      this.#ejected--;
      back.push(host);
    }
    return back;
  }

  #of(host: Host): HostRecord {
    let record = this.#records.get(host);
    if (!record) {
      record = { run5xx: 0, runGateway: 0, runLocal: 0, ejections: 0, ejectedAt: 0 };
      this.#records.set(host, record);
    }
    return record;
  }

  /** Lengthens or ends the runs; returns which one is full. */
  #count(record: HostRecord, report: HostReport): 'run5xx' | 'runGateway' | 'runLocal' | undefined {
    const policy = this.#policy;
    if ('local' in report && policy.splitLocal) {
      record.runLocal = report.local === 'connected' ? 0 : record.runLocal + 1;
      return record.runLocal >= policy.consecutiveLocal ? 'runLocal' : undefined;
    }
    // Without the split a local failure counts as the status that the client got.
    const status = 'status' in report ? report.status : localStatus[report.local];
    if (status === 0) return undefined;
    record.run5xx = status >= 500 ? record.run5xx + 1 : 0;
    record.runGateway = status >= 502 && status <= 504 ? record.runGateway + 1 : 0;
    if (record.runGateway >= policy.consecutiveGateway && policy.enforceGateway > 0) return 'runGateway';
    return record.run5xx >= policy.consecutive5xx ? 'run5xx' : undefined;
  }

  #enforcement(cause: 'run5xx' | 'runGateway' | 'runLocal'): number {
    if (cause === 'run5xx') return this.#policy.enforce5xx;
    return cause === 'runGateway' ? this.#policy.enforceGateway : this.#policy.enforceLocal;
  }
}

const localStatus = { connected: 0, 'connect failed': 503, timeout: 504, reset: 503 } as const;
