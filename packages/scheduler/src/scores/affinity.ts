import type { Cluster } from '../model/cluster.js';
import type { NodeInfo } from '../model/node-info.js';
import type { AffinityTerm, PodInfo } from '../model/pod-info.js';
import { maxScore, type Score } from './score.js';

/** The weight that a required affinity of a pod already there has for one that it selects (hardPodAffinityWeight). */
const hardWeight = 1;

/** Preferred pod affinity and anti-affinity, both ways. */
export const podPreference: Score = {
  name: 'InterPodAffinity',
  weight: 2,
  prepare(pod, cluster, nodes) {
    const points = pointsByTopology(pod, cluster);
    if (points.size === 0) return undefined;
    const raw = nodes.map((node) => {
      let sum = 0;
      for (const [key, values] of points) sum += values.get(node.labels[key] ?? '') ?? 0;
      return sum;
    });
    const [least, most] = [Math.min(...raw), Math.max(...raw)];
    return raw.map((value) => (most > least ? (maxScore * (value - least)) / (most - least) : 0));
  },
};

type Points = Map<string, Map<string, number>>;

function pointsByTopology(pod: PodInfo, cluster: Cluster): Points {
  const points: Points = new Map();
  const labels = cluster.surroundings.labelsOfNamespace;
  const { preferred, antiPreferred } = pod.affinity;
  const add = (term: AffinityTerm, node: NodeInfo, weight: number): void => {
    const value = node.labels[term.topologyKey];
    if (value === undefined) return;
    const values = points.get(term.topologyKey) ?? new Map<string, number>();
    points.set(term.topologyKey, values.set(value, (values.get(value) ?? 0) + weight));
  };
  for (const node of cluster.nodes()) {
    for (const other of node.pods.values()) {
      for (const term of preferred) if (term.selects(other.pod, labels)) add(term, node, term.weight);
      for (const term of antiPreferred) if (term.selects(other.pod, labels)) add(term, node, -term.weight);
      for (const term of other.affinity.required) if (term.selects(pod.pod, labels)) add(term, node, hardWeight);
      for (const term of other.affinity.preferred) if (term.selects(pod.pod, labels)) add(term, node, term.weight);
      for (const term of other.affinity.antiPreferred) if (term.selects(pod.pod, labels)) add(term, node, -term.weight);
    }
  }
  return points;
}
