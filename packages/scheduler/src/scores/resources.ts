import type { NodeInfo } from '../model/node-info.js';
import { maxScore, type Score } from './score.js';

/** Share of a resource in use if the pod went there, 0 to 1; undefined if the node does not have it. */
function used(total: number, requested: number): number | undefined {
  return total > 0 ? Math.min(1, requested / total) : undefined;
}

interface Load {
  cpu: number;
  memory: number;
}

function shares(node: NodeInfo, weight: Load, own: Load): number[] {
  const cpu = used(node.allocatable.get('cpu') ?? 0, weight.cpu + own.cpu);
  const memory = used(node.allocatable.get('memory') ?? 0, weight.memory + own.memory);
  return [cpu, memory].filter((share) => share !== undefined);
}

/** Prefers nodes with much to spare (upstream's NodeResourcesFit with LeastAllocated). */
export const leastAllocated: Score = {
  name: 'NodeResourcesFit',
  weight: 1,
  prepare(pod, _cluster, nodes) {
    return nodes.map((node) => {
      const inUse = shares(node, node.weight, pod.weight);
      if (inUse.length === 0) return 0;
      return (maxScore * inUse.reduce((sum, share) => sum + (1 - share), 0)) / inUse.length;
    });
  },
};

/** Prefers nodes where CPU and memory are used to about the same degree. */
export const balancedAllocation: Score = {
  name: 'NodeResourcesBalancedAllocation',
  weight: 1,
  prepare(pod, _cluster, nodes) {
    if (pod.requests.size === 0) return undefined;
    const own = { cpu: pod.requests.get('cpu') ?? 0, memory: pod.requests.get('memory') ?? 0 };
    return nodes.map((node) => {
      const present = { cpu: node.requested.get('cpu') ?? 0, memory: node.requested.get('memory') ?? 0 };
      const [cpu, memory] = shares(node, present, own);
      if (cpu === undefined || memory === undefined) return maxScore;
      return maxScore * (1 - Math.abs(cpu - memory) / 2);
    });
  },
};
