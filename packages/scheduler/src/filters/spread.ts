import { type core, type LabelSelector, labelSelectorOf } from '@flotilla/api';
import type { Cluster } from '../model/cluster.js';
import type { NodeInfo } from '../model/node-info.js';
import { type PodInfo, withPodLabels } from '../model/pod-info.js';
import { matchesNodeAffinity, untolerated } from '../model/selectors.js';
import type { Filter, NodeFilter } from './filter.js';

export interface SpreadConstraint {
  maxSkew: number;
  minDomains: number;
  topologyKey: string;
  /** Whether a pod of the same namespace is one of those to be spread. */
  selects(pod: PodInfo): boolean;
  /** Whether a node's pods and domain count. */
  counts(node: NodeInfo): boolean;
}

/** The pod's constraints of one kind, compiled. */
export function constraintsOf({ pod }: PodInfo, when: core.UnsatisfiableConstraintAction): SpreadConstraint[] {
  return (pod.spec.topologySpreadConstraints ?? [])
    .filter((constraint) => constraint.whenUnsatisfiable === when)
    .map((constraint) => {
      const selector: LabelSelector = withPodLabels(
        labelSelectorOf(constraint.labelSelector),
        pod,
        constraint.matchLabelKeys,
        undefined,
      );
      return {
        maxSkew: constraint.maxSkew,
        minDomains: constraint.minDomains ?? 1,
        topologyKey: constraint.topologyKey,
        selects: (other) =>
          other.pod.metadata.namespace === pod.metadata.namespace &&
          other.pod.metadata.deletionTimestamp === undefined &&
          selector.matches(other.pod.metadata.labels),
        counts: (info) => isIncluded(constraint, pod, info),
      };
    });
}

function isIncluded(constraint: core.TopologySpreadConstraint, pod: core.Pod, { node }: NodeInfo): boolean {
  if (!node) return false;
  if (constraint.nodeAffinityPolicy !== 'Ignore' && !matchesNodeAffinity(pod, node)) return false;
  if (constraint.nodeTaintsPolicy !== 'Honor') return true;
  return untolerated(node.spec.taints, pod.spec.tolerations, ['NoSchedule', 'NoExecute']) === undefined;
}

/** How many pods each domain of the topology has. Domains without any count as zero. */
export function countDomains(
  constraint: SpreadConstraint,
  constraints: readonly SpreadConstraint[],
  cluster: Cluster,
): Map<string, number> {
  const domains = new Map<string, number>();
  for (const node of cluster.nodes()) {
    // A node that lacks the label of any constraint is no place for the pod, so its domain does not count.
    if (!constraints.every((c) => node.labels[c.topologyKey] !== undefined) || !constraint.counts(node)) continue;
    const domain = node.labels[constraint.topologyKey] ?? '';
    let count = domains.get(domain) ?? 0;
    for (const pod of node.pods.values()) if (constraint.selects(pod)) count++;
    domains.set(domain, count);
  }
  return domains;
}

/** Topology spread constraints that must hold (DoNotSchedule). */
export const topologySpread: Filter = {
  name: 'PodTopologySpread',
  hints: ['node', 'pod-added', 'pod-removed'],
  prepare(pod, cluster): NodeFilter | undefined {
    const constraints = constraintsOf(pod, 'DoNotSchedule');
    if (constraints.length === 0) return undefined;
    const counted = constraints.map((constraint) => {
      const domains = countDomains(constraint, constraints, cluster);
      const fewest = domains.size < constraint.minDomains ? 0 : Math.min(...domains.values());
      return {
        constraint,
        domains,
        least: Number.isFinite(fewest) ? fewest : 0,
        self: constraint.selects(pod) ? 1 : 0,
      };
    });
    return (node) => {
      for (const { constraint, domains, least, self } of counted) {
        const domain = node.labels[constraint.topologyKey];
        if (domain === undefined) {
          const reason = "node(s) didn't match pod topology spread constraints (missing required label)";
          return { reasons: [reason], helpless: true };
        }
        if ((domains.get(domain) ?? 0) + self - least > constraint.maxSkew) {
          return { reasons: ["node(s) didn't match pod topology spread constraints"] };
        }
      }
      return undefined;
    };
  },
};
