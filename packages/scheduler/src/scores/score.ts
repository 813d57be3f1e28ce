import type { Cluster } from '../model/cluster.js';
import type { NodeInfo } from '../model/node-info.js';
import type { PodInfo } from '../model/pod-info.js';

/** What each score is brought to: 0 (worst) to 100 (best). */
export const maxScore = 100;

/**
 * One preference among the nodes that can take a pod. `prepare` gives back the points of each of `nodes`, in their order
 * and from 0 to 100, or undefined if it has no preference.
 */
export interface Score {
  name: string;
  weight: number;
  prepare(pod: PodInfo, cluster: Cluster, nodes: readonly NodeInfo[]): number[] | undefined;
}

/** Stretches raw numbers to 0…100 by the greatest; `reverse`: few is good (upstream's DefaultNormalizeScore). */
export function normalized(raw: readonly number[], reverse: boolean): number[] {
  const most = Math.max(...raw);
  if (most <= 0) return raw.map(() => (reverse ? maxScore : 0));
  return raw.map((value) => {
    const share = (maxScore * value) / most;
    return reverse ? maxScore - share : share;
  });
}
