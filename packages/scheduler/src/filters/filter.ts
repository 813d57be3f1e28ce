import type { Cluster } from '../model/cluster.js';
import type { NodeInfo } from '../model/node-info.js';
import type { PodInfo } from '../model/pod-info.js';

/** What can change so that a refused pod may fit: which events call for another look. */
export type Hint = 'node' | 'pod-removed' | 'pod-added' | 'volume';

export interface Refusal {
  /** In upstream's words; counted up in the event's message. */
  reasons: string[];
  /** Removing pods from the node would not help: no preemption. */
  helpless?: boolean;
}

/** No node can take the pod, for a reason of its own. */
export interface PodRefusal {
  message: string;
}

export type NodeFilter = (node: NodeInfo) => Refusal | undefined;

/**
 * One reason why a pod may not go to a node. `prepare` looks at the pod and the cluster once; it gives back the question
 * to ask of each node, undefined if the filter has nothing to say about this pod, or a refusal of the pod as a whole.
 */
export interface Filter {
  name: string;
  hints: readonly Hint[];
  prepare(pod: PodInfo, cluster: Cluster): NodeFilter | PodRefusal | undefined;
}
