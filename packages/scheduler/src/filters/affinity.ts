import type { Cluster } from '../model/cluster.js';
import type { NodeInfo } from '../model/node-info.js';
import type { AffinityTerm, PodInfo } from '../model/pod-info.js';
import type { Filter, NodeFilter } from './filter.js';

/** Number of pods by `topologyKey=value`. */
type Counts = Map<string, number>;

const place = (term: AffinityTerm, node: NodeInfo): string | undefined => {
  const value = node.labels[term.topologyKey];
  return value === undefined ? undefined : `${term.topologyKey}=${value}`;
};

function count(counts: Counts, term: AffinityTerm, node: NodeInfo): void {
  const where = place(term, node);
  if (where !== undefined) counts.set(where, (counts.get(where) ?? 0) + 1);
}

/** Where required terms of the incoming pod find the pods they select. Affinity needs one pod that all terms select. */
function ownCounts(pod: PodInfo, cluster: Cluster): { affinity: Counts; anti: Counts } {
  const { required, antiRequired } = pod.affinity;
  const affinity: Counts = new Map();
  const anti: Counts = new Map();
  if (required.length === 0 && antiRequired.length === 0) return { affinity, anti };
  const labels = cluster.surroundings.labelsOfNamespace;
  for (const node of cluster.nodes()) {
    for (const { pod: other } of node.pods.values()) {
      if (required.length > 0 && required.every((term) => term.selects(other, labels))) {
        for (const term of required) count(affinity, term, node);
      }
      for (const term of antiRequired) if (term.selects(other, labels)) count(anti, term, node);
    }
  }
  return { affinity, anti };
}

/** Where pods that are already there keep this one away. */
function othersAnti(pod: PodInfo, cluster: Cluster): Counts {
  const counts: Counts = new Map();
  for (const node of cluster.nodes()) {
    for (const key of node.antiAffine) {
      for (const term of node.pods.get(key)?.affinity.antiRequired ?? []) {
        if (term.selects(pod.pod, cluster.surroundings.labelsOfNamespace)) count(counts, term, node);
      }
    }
  }
  return counts;
}

/** Required pod affinity and anti-affinity, both ways. */
export const interPodAffinity: Filter = {
  name: 'InterPodAffinity',
  hints: ['node', 'pod-added', 'pod-removed'],
  prepare(pod, cluster): NodeFilter | undefined {
    const { required, antiRequired } = pod.affinity;
    const others = othersAnti(pod, cluster);
    if (required.length === 0 && antiRequired.length === 0 && others.size === 0) return undefined;
    const { affinity, anti } = ownCounts(pod, cluster);
    const labels = cluster.surroundings.labelsOfNamespace;
    // The first pod of a group that wants to be together may go anywhere the topology exists.
    const isFirst = affinity.size === 0 && required.every((term) => term.selects(pod.pod, labels));
    return (node) => {
      const wherever = (term: AffinityTerm): boolean => {
        const where = place(term, node);
        return where !== undefined && (isFirst || (affinity.get(where) ?? 0) > 0);
      };
      if (!required.every(wherever)) return { reasons: ["node(s) didn't match pod affinity rules"], helpless: true };
      if (antiRequired.some((term) => (anti.get(place(term, node) ?? '') ?? 0) > 0)) {
        return { reasons: ["node(s) didn't match pod anti-affinity rules"] };
      }
      for (const where of others.keys()) {
        const at = where.indexOf('=');
        if (node.labels[where.slice(0, at)] === where.slice(at + 1)) {
          return { reasons: ["node(s) didn't satisfy existing pods anti-affinity rules"] };
        }
      }
      return undefined;
    };
  },
};
