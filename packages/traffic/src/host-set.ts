import type { Random } from '@flotilla/base';
import { type Balancer, type BalancerOptions, makeBalancer } from './balance.js';
import { type Host, isHealthy } from './host.js';

export interface HostSetOptions extends BalancerOptions {
  /** Below this share of healthy hosts, in percent, health is ignored. Envoy's default is 50; 0 turns panic off. */
  panicThreshold: number;
  /** Spread over localities by their weights first (Envoy's `locality_weighted_lb_config`). */
  localityWeights?: ReadonlyMap<string, number>;
  /** Percent by which a priority counts as healthier than it is; 140 if absent. */
  overprovisioning?: number;
}

interface Level {
  /** Percent of the load, all levels together 100 (or 0 if nobody can be picked). */
  load: number;
  pick(): Host | undefined;
}

/**
 * Chooses among the hosts of a cluster: priority level by health, locality by weight, then the balancer. `rebuild` must
 * be called after a host was added, removed, ejected or shunned, or changed its health or weight.
 */
export class HostSet {
  readonly #options: HostSetOptions;
  readonly #random: Random;
  #hosts: readonly Host[] = [];
  #levels: Level[] = [];

  constructor(options: HostSetOptions, random: Random, hosts: readonly Host[] = []) {
    this.#options = options;
    this.#random = random;
    this.rebuild(hosts);
  }

  get hosts(): readonly Host[] {
    return this.#hosts;
  }

  rebuild(hosts: readonly Host[] = this.#hosts): void {
    this.#hosts = hosts;
    const count = hosts.reduce((most, host) => Math.max(most, host.priority + 1), 0);
    const all: Host[][] = Array.from({ length: count }, () => []);
    for (const host of hosts) all[host.priority]!.push(host);
    const healthy = all.map((level) => level.filter(isHealthy));
    const { loads, panic } = priorityLoads(all, healthy, this.#options);
    this.#levels = all.map((level, p) => {
      const usable = preferred(panic[p] ? level : healthy[p]!);
      return { load: loads[p]!, pick: this.#spread(level, usable) };
    });
  }

  /**
   * One host, or undefined if none is healthy. A host that `avoid` rejects is chosen only when `attempts` further picks
   * found no better (Envoy's host predicates with `host_selection_retry_max_attempts`).
   */
  pick(avoid?: (host: Host) => boolean, attempts = 1): Host | undefined {
    let host = this.#pickOnce();
    for (let i = 0; avoid && host && i < attempts && avoid(host); i++) host = this.#pickOnce();
    return host;
  }

  #pickOnce(): Host | undefined {
    let left = this.#levels.length > 1 ? this.#random.next() * 100 : 0;
    let last: Level | undefined;
    for (const level of this.#levels) {
      if (level.load === 0) continue;
      last = level;
      left -= level.load;
      if (left < 0) break;
    }
    return last?.pick();
  }

  #spread(all: readonly Host[], usable: readonly Host[]): () => Host | undefined {
    const weights = this.#options.localityWeights;
    const balance = (hosts: readonly Host[]): Balancer => makeBalancer(this.#options, hosts, this.#random);
    if (!weights) {
      const balancer = balance(usable);
      return () => balancer.pick();
    }
    const factor = (this.#options.overprovisioning ?? 140) / 100;
    const zones = [...byLocality(usable)].map(([locality, hosts]) => {
      const total = all.filter((host) => host.locality === locality).length;
      return {
        weight: (weights.get(locality) ?? 0) * Math.min(1, (factor * hosts.length) / total),
        balancer: balance(hosts),
      };
    });
    return () => pickWeighted(zones, this.#random)?.balancer.pick();
  }
}

/** Without the shunned ones, unless that leaves nobody. */
function preferred(hosts: readonly Host[]): readonly Host[] {
  const others = hosts.filter((host) => !host.shunned);
  return others.length > 0 ? others : hosts;
}

function byLocality(hosts: readonly Host[]): Map<string, Host[]> {
  const out = new Map<string, Host[]>();
  for (const host of hosts) {
    const zone = out.get(host.locality);
    if (zone) zone.push(host);
    else out.set(host.locality, [host]);
  }
  return out;
}

/** One of `choices` with probability proportional to its weight, or undefined if no weight is positive. */
export function pickWeighted<T extends { weight: number }>(choices: readonly T[], random: Random): T | undefined {
  const total = choices.reduce((sum, choice) => sum + choice.weight, 0);
  let left = random.next() * total;
  for (const choice of choices) {
    left -= choice.weight;
    if (left < 0) return choice;
  }
  return undefined;
}

/**
 * How the load splits over priority levels, as Envoy documents it ("Priority levels"): a level counts as
 * min(100, overprovisioning × healthy share) percent available; each takes what the ones before left over. If all together
 * stay below 100 the loads are scaled up, and levels below the panic threshold use all their hosts.
 */
export function priorityLoads(
  all: readonly (readonly Host[])[],
  healthy: readonly (readonly Host[])[],
  options: Pick<HostSetOptions, 'panicThreshold' | 'overprovisioning'>,
): { loads: number[]; panic: boolean[] } {
  const factor = options.overprovisioning ?? 140;
  const share = all.map((level, p) => (level.length === 0 ? 0 : healthy[p]!.length / level.length));
  const available = share.map((s) => Math.min(100, s * factor));
  const total = Math.min(
    100,
    available.reduce((a, b) => a + b, 0),
  );
  const panic = share.map((s, p) => total < 100 && all[p]!.length > 0 && s * 100 < options.panicThreshold);
  const occupied = panic.filter((_, p) => all[p]!.length > 0);
  if (total < 100 && occupied.length > 0 && occupied.every(Boolean)) {
    const count = all.reduce((sum, level) => sum + level.length, 0);
    return { loads: all.map((level) => (100 * level.length) / count), panic };
  }
  let left = 100;
  const loads = available.map((a) => {
    const load = total === 0 ? 0 : Math.min(left, (a * 100) / total);
    left -= load;
    return load;
  });
  return { loads, panic };
}
