import type { Filter, NodeFilter, Refusal } from './filters/filter.js';
import { interPodAffinity } from './filters/affinity.js';
import { nodeAffinity, nodePorts, nodeUnschedulable, resourcesFit, taintToleration } from './filters/node.js';
import { topologySpread } from './filters/spread.js';
import { volumeBinding, volumeRestrictions } from './filters/volumes.js';
import type { Unschedulable } from './fit-error.js';
import type { Cluster } from './model/cluster.js';
import type { NodeInfo } from './model/node-info.js';
import type { PodInfo } from './model/pod-info.js';
import { podPreference } from './scores/affinity.js';
import { nodePreference, taintPreference } from './scores/node.js';
import { balancedAllocation, leastAllocated } from './scores/resources.js';
import type { Score } from './scores/score.js';
import { spreading } from './scores/spread.js';

/** In upstream's order: the first refusal of a node is the one that is told. */
export const filters: readonly Filter[] = [
  nodeUnschedulable,
  taintToleration,
  nodeAffinity,
  nodePorts,
  resourcesFit,
  volumeRestrictions,
  volumeBinding,
  topologySpread,
  interPodAffinity,
];

export const scores: readonly Score[] = [
  taintPreference,
  nodePreference,
  spreading,
  podPreference,
  leastAllocated,
  balancedAllocation,
];

export type Decision = { node: string } | { unschedulable: Unschedulable };

export interface Choice {
  /** Where the search for feasible nodes starts, so that it does not always find the same ones. */
  start: number;
  /** Chooses among nodes of the same score: a number in [0, 1). */
  random(): number;
}

/** Where a pod should go, given what is known now. Changes nothing. */
export function decidePlace(pod: PodInfo, cluster: Cluster, choice: Choice): Decision {
  const nodes = cluster.nodes();
  const asked = prepareFilters(pod, cluster);
  if ('message' in asked) {
    return {
      unschedulable: { total: nodes.length, refusals: new Map(), plugins: asked.plugins, message: asked.message },
    };
  }
  const refusals = new Map<string, Refusal>();
  const plugins = new Set<string>();
  const feasible: NodeInfo[] = [];
  const enough = nodesToFind(nodes.length);
  for (let i = 0; i < nodes.length && feasible.length < enough; i++) {
    const node = nodes[(choice.start + i) % nodes.length];
    if (!node) continue;
    const refused = refusalOf(node, asked.filters);
    if (!refused) feasible.push(node);
    else {
      refusals.set(node.name, refused.refusal);
      plugins.add(refused.plugin);
    }
  }
  const best = bestOf(pod, cluster, feasible, choice);
  return best ? { node: best } : { unschedulable: { total: nodes.length, refusals, plugins } };
}

interface PreparedFilter {
  plugin: string;
  filter: NodeFilter;
}

export function prepareFilters(
  pod: PodInfo,
  cluster: Cluster,
): { filters: PreparedFilter[] } | { message: string; plugins: Set<string> } {
  const prepared: PreparedFilter[] = [];
  for (const { name, prepare } of filters) {
    const filter = prepare(pod, cluster);
    if (typeof filter === 'function') prepared.push({ plugin: name, filter });
    else if (filter) return { message: filter.message, plugins: new Set([name]) };
  }
  return { filters: prepared };
}

export function refusalOf(
  node: NodeInfo,
  asked: readonly PreparedFilter[],
): { plugin: string; refusal: Refusal } | undefined {
  for (const { plugin, filter } of asked) {
    const refusal = filter(node);
    if (refusal) return { plugin, refusal };
  }
  return undefined;
}

/** In a large cluster some good nodes are good enough: upstream's percentageOfNodesToScore. */
export function nodesToFind(total: number): number {
  if (total <= 100) return total;
  const percent = Math.max(5, 50 - total / 125);
  return Math.max(100, Math.floor((total * percent) / 100));
}

function bestOf(pod: PodInfo, cluster: Cluster, nodes: readonly NodeInfo[], choice: Choice): string | undefined {
  if (nodes.length <= 1) return nodes[0]?.name;
  const totals = nodes.map(() => 0);
  for (const { prepare, weight } of scores) {
    const points = prepare(pod, cluster, nodes);
    points?.forEach((value, i) => {
      totals[i] = (totals[i] ?? 0) + weight * value;
    });
  }
  const most = Math.max(...totals);
  // Rounding in the scores must not decide between nodes that are as good as each other.
  const best = nodes.filter((_, i) => (totals[i] ?? 0) >= most - 1e-6);
  return best[Math.floor(choice.random() * best.length)]?.name;
}
