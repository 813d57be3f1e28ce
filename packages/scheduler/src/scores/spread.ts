import { constraintsOf, countDomains, type SpreadConstraint } from '../filters/spread.js';
import type { Cluster } from '../model/cluster.js';
import type { NodeInfo } from '../model/node-info.js';
import type { PodInfo } from '../model/pod-info.js';
import { maxScore, type Score } from './score.js';

const hostname = 'kubernetes.io/hostname';
const zone = 'topology.kubernetes.io/zone';

/**
 * Spreads pods over topologies: by the pod's own ScheduleAnyway constraints, or else the pods of one controller or
 * service over hosts and zones (upstream's default constraints).
 */
export const spreading: Score = {
  name: 'PodTopologySpread',
  weight: 2,
  prepare(pod, cluster, nodes) {
    const own = pod.pod.spec.topologySpreadConstraints ?? [];
    if (own.length === 0) return spreadGroup(pod, cluster, nodes);
    const constraints = constraintsOf(pod, 'ScheduleAnyway');
    return constraints.length === 0 ? undefined : spreadBy(constraints, cluster, nodes);
  },
};

function spreadBy(constraints: SpreadConstraint[], cluster: Cluster, nodes: readonly NodeInfo[]): number[] {
  const counted = constraints.map((constraint) => ({
    constraint,
    domains: countDomains(constraint, constraints, cluster),
  }));
  const raw = nodes.map((node) => {
    let cost = 0;
    for (const { constraint, domains } of counted) {
      const domain = node.labels[constraint.topologyKey];
      if (domain === undefined) return undefined;
      cost += costOf(domains.get(domain) ?? 0, domains.size, constraint.maxSkew);
    }
    return cost;
  });
  return fewestBest(raw);
}

/** A domain's count weighs more the more domains there are, so that a skew over hosts does not drown one over zones. */
const costOf = (count: number, domains: number, maxSkew: number): number => count * Math.log(domains + 2) + maxSkew - 1;

/** Nodes without a needed label (undefined) get nothing. */
function fewestBest(raw: readonly (number | undefined)[]): number[] {
  const known = raw.filter((cost) => cost !== undefined);
  const [least, most] = [Math.min(...known), Math.max(...known)];
  return raw.map((cost) => {
    if (cost === undefined) return 0;
    return most === 0 ? maxScore : (maxScore * (most + least - cost)) / most;
  });
}

/** Counts by controller are kept per node; only pods without a controller are compared by their services' selectors. */
function spreadGroup(pod: PodInfo, cluster: Cluster, nodes: readonly NodeInfo[]): number[] | undefined {
  const countOn = groupCounter(pod, cluster);
  if (!countOn) return undefined;
  const all = cluster.nodes();
  const zones = new Map<string, number>();
  let hosts = 0;
  for (const node of all) {
    if (node.labels[hostname] !== undefined) hosts++;
    const where = node.labels[zone];
    if (where !== undefined) zones.set(where, (zones.get(where) ?? 0) + countOn(node));
  }
  const raw = nodes.map((node) => {
    const where = node.labels[zone];
    const byZone = where === undefined ? 0 : costOf(zones.get(where) ?? 0, zones.size, 5);
    return costOf(countOn(node), hosts, 3) + byZone;
  });
  return fewestBest(raw);
}

function groupCounter(pod: PodInfo, cluster: Cluster): ((node: NodeInfo) => number) | undefined {
  const { controller } = pod;
  if (controller) return (node) => node.controllers.get(controller) ?? 0;
  const selectors = cluster.surroundings.servicesOf(pod.pod);
  if (selectors.length === 0) return undefined;
  return (node) => {
    let count = 0;
    for (const { pod: other } of node.pods.values()) {
      if (other.metadata.namespace !== pod.pod.metadata.namespace) continue;
      const labels = other.metadata.labels ?? {};
      if (selectors.every((selector) => Object.entries(selector).every(([k, v]) => labels[k] === v))) count++;
    }
    return count;
  };
}
