import { type core, formatTime } from '@flotilla/api';
import { equivalent } from '../common/equivalent.js';

export const unreachable = 'node.kubernetes.io/unreachable';
export const notReady = 'node.kubernetes.io/not-ready';
const unschedulable = 'node.kubernetes.io/unschedulable';

/** Which condition and status gives which NoSchedule taint. */
const conditionTaints: readonly [type: string, status: core.ConditionStatus, taint: string][] = [
  ['Ready', 'False', notReady],
  ['Ready', 'Unknown', unreachable],
  ['MemoryPressure', 'True', 'node.kubernetes.io/memory-pressure'],
  ['DiskPressure', 'True', 'node.kubernetes.io/disk-pressure'],
  ['PIDPressure', 'True', 'node.kubernetes.io/pid-pressure'],
  ['NetworkUnavailable', 'True', 'node.kubernetes.io/network-unavailable'],
];
/** Set to Unknown when nobody reports them any more. */
const reportedConditions = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'];
const conditionTaintKeys = new Set([unschedulable, ...conditionTaints.map(([, , key]) => key)]);

export interface NodeState {
  node: core.Node;
  /** The monitor has given the node up. */
  dead: boolean;
  /** Whether pods may be driven off: false while no node at all is ready, and while the eviction rate is used up. */
  mayEvict: boolean;
}

export interface NodePlan {
  /** The new conditions, if they must change. */
  conditions?: core.NodeCondition[];
  /** The new taints, if they must change. */
  taints?: core.Taint[];
  /** The NoExecute taint is due but `mayEvict` forbade it. */
  evictionDue: boolean;
}

export const readyStatus = (node: core.Node): core.ConditionStatus | undefined =>
  node.status.conditions?.find((c) => c.type === 'Ready')?.status;

export const isNodeReady = (node: core.Node): boolean => readyStatus(node) === 'True';

export function decideNode(state: NodeState, now: number): NodePlan {
  const { node } = state;
  const present = node.status.conditions ?? [];
  const conditions = state.dead ? unknownConditions(node, present, now) : present;
  const { taints, evictionDue } = taintsFor(state, conditions, now);
  return {
    ...(equivalent(conditions, present) ? {} : { conditions }),
    ...(equivalent(taints, node.spec.taints ?? []) ? {} : { taints }),
    evictionDue,
  };
}

function unknownConditions(node: core.Node, present: core.NodeCondition[], now: number): core.NodeCondition[] {
  const time = formatTime(now);
  const known = present.map((condition): core.NodeCondition => {
    if (!reportedConditions.includes(condition.type) || condition.status === 'Unknown') return condition;
    return {
      ...condition,
      status: 'Unknown',
      reason: 'NodeStatusUnknown',
      message: 'Kubelet stopped posting node status.',
      lastTransitionTime: time,
    };
  });
  const missing = reportedConditions.filter((type) => !present.some((c) => c.type === type));
  return [
    ...known,
    ...missing.map(
      (type): core.NodeCondition => ({
        type,
        status: 'Unknown',
        reason: 'NodeStatusNeverUpdated',
        message: 'Kubelet never posted node status.',
        lastHeartbeatTime: node.metadata.creationTimestamp ?? time,
        lastTransitionTime: time,
      }),
    ),
  ];
}

function taintsFor(
  state: NodeState,
  conditions: readonly core.NodeCondition[],
  now: number,
): { taints: core.Taint[]; evictionDue: boolean } {
  const present = state.node.spec.taints ?? [];
  const wanted: core.Taint[] = conditionTaints
    .filter(([type, status]) => conditions.some((c) => c.type === type && c.status === status))
    .map(([, , key]) => ({ key, effect: 'NoSchedule' }));
  if (state.node.spec.unschedulable) wanted.push({ key: unschedulable, effect: 'NoSchedule' });

  const ready = conditions.find((c) => c.type === 'Ready')?.status;
  const evictBy = ready === 'Unknown' ? unreachable : ready === 'False' ? notReady : undefined;
  const evicts = (t: core.Taint): boolean => t.effect === 'NoExecute' && (t.key === unreachable || t.key === notReady);
  const already = present.some(evicts);
  if (evictBy && (state.mayEvict || already)) wanted.push({ key: evictBy, effect: 'NoExecute' });

  const managed = (t: core.Taint): boolean => (t.effect === 'NoSchedule' && conditionTaintKeys.has(t.key)) || evicts(t);
  const kept = present.filter((t) => !managed(t) || wanted.some((w) => w.key === t.key && w.effect === t.effect));
  const added = wanted
    .filter((w) => !present.some((t) => t.key === w.key && t.effect === w.effect))
    .map((taint) => ({ ...taint, timeAdded: formatTime(now) }));
  return { taints: [...kept, ...added], evictionDue: Boolean(evictBy) && !state.mayEvict && !already };
}

/** The pod's conditions with Ready=False, or undefined if they say so already: its node cannot vouch for it. */
export function notReadyConditions(pod: core.Pod, now: number): core.PodCondition[] | undefined {
  const conditions = pod.status.conditions ?? [];
  if (!conditions.some((c) => c.type === 'Ready' && c.status !== 'False')) return undefined;
  return conditions.map((c) =>
    c.type === 'Ready' ? { ...c, status: 'False', lastTransitionTime: formatTime(now) } : c,
  );
}
