/** What all conditions of all kinds have in common. */
export interface ConditionLike {
  type: string;
  status: string;
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
}

export function getCondition<C extends { type: string }>(
  conditions: readonly C[] | undefined,
  type: string,
): C | undefined {
  return conditions?.find((c) => c.type === type);
}

/** Whether the condition is there and `True`. */
export function isConditionTrue(
  conditions: readonly { type: string; status: string }[] | undefined,
  type: string,
): boolean {
  return getCondition(conditions, type)?.status === 'True';
}

/**
 * A new list with `condition` in the place of the one of its type, or at the end. `lastTransitionTime` stays what it
 * was unless the status changed; then it is the given one's, or `now` (RFC 3339).
 */
export function setCondition<C extends ConditionLike>(
  conditions: readonly C[] | undefined,
  condition: C,
  now: string,
): C[] {
  const before = getCondition(conditions, condition.type);
  const since = before?.status === condition.status ? before.lastTransitionTime : undefined;
  const next: C = { ...condition, lastTransitionTime: since ?? condition.lastTransitionTime ?? now };
  if (!before) return [...(conditions ?? []), next];
  return conditions!.map((c) => (c === before ? next : c));
}

export function removeCondition<C extends { type: string }>(conditions: readonly C[] | undefined, type: string): C[] {
  return (conditions ?? []).filter((c) => c.type !== type);
}
