import type { Refusal } from './filters/filter.js';

/** Why no node took a pod. */
export interface Unschedulable {
  total: number;
  /** The pod was refused as a whole. */
  message?: string;
  refusals: ReadonlyMap<string, Refusal>;
  /** Names of the filters that refused. */
  plugins: ReadonlySet<string>;
  /** What preemption came to. */
  preemption?: string;
}

function histogram(refusals: Iterable<Refusal>): string {
  const counts = new Map<string, number>();
  for (const { reasons } of refusals) for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return [...counts]
    .map(([reason, count]) => `${count} ${reason}`)
    .sort()
    .join(', ');
}

/** Upstream's FitError: `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) …. preemption: …`. */
export function describeUnschedulable(why: Unschedulable): string {
  if (why.total === 0) return 'no nodes available to schedule pods';
  const head = `0/${why.total} nodes are available: ${why.message ?? histogram(why.refusals.values())}.`;
  return `${head} preemption: 0/${why.total} nodes are available: ${why.preemption ?? preemptionReasons(why)}.`;
}

function preemptionReasons({ total, message, refusals }: Unschedulable): string {
  if (message !== undefined) return `${total} Preemption is not helpful for scheduling`;
  const helpless = [...refusals.values()].filter((refusal) => refusal.helpless).length;
  const parts: string[] = [];
  if (total > helpless) parts.push(`${total - helpless} No preemption victims found for incoming pod`);
  if (helpless > 0) parts.push(`${helpless} Preemption is not helpful for scheduling`);
  return parts.sort().join(', ');
}
