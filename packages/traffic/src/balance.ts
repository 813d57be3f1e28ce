import type { Random } from '@flotilla/base';
import type { Host } from './host.js';

/** Picks one of the hosts it was made for. Made anew whenever the set of usable hosts changes. */
export interface Balancer {
  pick(): Host | undefined;
}

export type BalancerKind = 'ROUND_ROBIN' | 'LEAST_REQUEST' | 'RANDOM';

export interface BalancerOptions {
  kind: BalancerKind;
  /** LEAST_REQUEST: how many hosts are compared; 2 if absent. */
  choiceCount?: number;
}

export function makeBalancer(options: BalancerOptions, hosts: readonly Host[], random: Random): Balancer {
  const weighted = hosts.some((host) => host.weight !== hosts[0]!.weight);
  if (options.kind === 'RANDOM') return weighted ? weightedRandom(hosts, random) : uniformRandom(hosts, random);
  if (options.kind === 'LEAST_REQUEST') {
    // Envoy: with unequal weights the load is a factor of the weight in an EDF schedule instead of two choices.
    if (weighted) return new EdfBalancer(hosts, random, (host) => host.weight / (host.active + 1));
    return leastRequest(hosts, options.choiceCount ?? 2, random);
  }
  return weighted ? new EdfBalancer(hosts, random, (host) => host.weight) : roundRobin(hosts, random);
}

function at(hosts: readonly Host[], random: Random): Host | undefined {
  return hosts[Math.floor(random.next() * hosts.length)];
}

function uniformRandom(hosts: readonly Host[], random: Random): Balancer {
  return { pick: () => at(hosts, random) };
}

function weightedRandom(hosts: readonly Host[], random: Random): Balancer {
  const total = hosts.reduce((sum, host) => sum + host.weight, 0);
  return {
    pick() {
      let left = random.next() * total;
      for (const host of hosts) {
        left -= host.weight;
        if (left < 0) return host;
      }
      return hosts.at(-1);
    },
  };
}

/** Power of two choices: of `count` random hosts, the one with the fewest requests under way. */
function leastRequest(hosts: readonly Host[], count: number, random: Random): Balancer {
  return {
    pick() {
      let best = at(hosts, random);
      for (let i = 1; i < count && best; i++) {
        const other = at(hosts, random)!;
        if (other.active < best.active) best = other;
      }
      return best;
    },
  };
}

/** Starts somewhere random, so that many proxies do not all begin with the same host. */
function roundRobin(hosts: readonly Host[], random: Random): Balancer {
  let next = Math.floor(random.next() * hosts.length);
  return {
    pick() {
      const host = hosts[next];
      next = (next + 1) % Math.max(1, hosts.length);
      return host;
    },
  };
}

interface Entry {
  deadline: number;
  order: number;
  host: Host;
}

/**
 * Earliest deadline first: each host comes up again after 1 / weight of virtual time, in a binary heap, so that picks
 * interleave smoothly and cost O(log n). The weight is asked for at each pick, because it may follow the load.
 */
class EdfBalancer implements Balancer {
  readonly #heap: Entry[] = [];
  readonly #weight: (host: Host) => number;
  #now = 0;
  #order = 0;

  constructor(hosts: readonly Host[], random: Random, weight: (host: Host) => number) {
    this.#weight = weight;
    for (const host of hosts) this.#push(host);
    for (let i = Math.floor(random.next() * hosts.length); i > 0; i--) this.pick();
  }

  pick(): Host | undefined {
    const top = this.#pop();
    if (!top) return undefined;
    this.#now = top.deadline;
    this.#push(top.host);
    return top.host;
  }

  #push(host: Host): void {
    const weight = Math.max(this.#weight(host), 1e-6);
    const entry = { deadline: this.#now + 1 / weight, order: this.#order++, host };
    const heap = this.#heap;
    let i = heap.push(entry) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (before(heap[parent]!, entry)) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = entry;
  }

  #pop(): Entry | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (!top || !last || heap.length === 0) return top;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (before(last, heap[child]!)) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = last;
    return top;
  }
}

function before(a: Entry, b: Entry): boolean {
  return a.deadline < b.deadline || (a.deadline === b.deadline && a.order < b.order);
}
