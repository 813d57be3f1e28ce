import { type core, tolerates } from '@flotilla/api';

export type Eviction =
  | { when: 'never' }
  | { when: 'now' }
  /** Milliseconds after the taints were first seen on the pod's node. */
  | { when: 'after'; ms: number };

/**
 * When NoExecute taints drive a pod off its node. An untolerated taint does at once; of the tolerations in use, the one
 * with the fewest seconds counts.
 */
export function evictionOf(
  tolerations: readonly core.Toleration[] | undefined,
  taints: readonly core.Taint[],
): Eviction {
  const evicting = taints.filter((taint) => taint.effect === 'NoExecute');
  if (evicting.length === 0) return { when: 'never' };
  const used = evicting.map((taint) => tolerations?.find((toleration) => tolerates(toleration, taint)));
  if (used.includes(undefined)) return { when: 'now' };
  const seconds = used.flatMap((t) => (t?.tolerationSeconds === undefined ? [] : [Math.max(0, t.tolerationSeconds)]));
  if (seconds.length === 0) return { when: 'never' };
  const least = Math.min(...seconds);
  return least === 0 ? { when: 'now' } : { when: 'after', ms: least * 1000 };
}
