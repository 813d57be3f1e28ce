import { type core, formatTime, setCondition } from '@flotilla/api';

/** A pod's conditions with the word that it is the control plane that ends it, since `now` (milliseconds). */
export function disruptedConditions(
  pod: core.Pod,
  why: Pick<core.PodCondition, 'reason' | 'message'>,
  now: number,
): core.PodCondition[] {
  const disrupted: core.PodCondition = { type: 'DisruptionTarget', status: 'True', ...why };
  return setCondition(pod.status.conditions, disrupted, formatTime(now));
}
