/** The thresholds of a probe; 1 and 3 unless the pod says otherwise. */
export interface Thresholds {
  success: number;
  failure: number;
}

/** Results in a row, which is all that a probe's verdict depends on. */
export interface Tally {
  outcome: boolean | undefined;
  inRow: number;
}

export const freshTally: Tally = { outcome: undefined, inRow: 0 };

/** Counts one result. `verdict` is set when a threshold is reached (prober's `worker.doProbe`). */
export function count(tally: Tally, success: boolean, thresholds: Thresholds): { tally: Tally; verdict?: boolean } {
  const inRow = tally.outcome === success ? tally.inRow + 1 : 1;
  const next = { outcome: success, inRow };
  const needed = success ? thresholds.success : thresholds.failure;
  return inRow >= needed ? { tally: next, verdict: success } : { tally: next };
}

/** After a hint something is likely to answer within this time, milliseconds. */
const hintLasts = 100;

/**
 * Milliseconds to the next try while nothing has answered yet: about a tenth of the time waited so far, so that no more
 * than that is lost, and much sooner right after a hint.
 */
export function eagerDelay(waitedMs: number, sinceHintMs: number, periodMs: number): number {
  if (sinceHintMs < hintLasts) return Math.max(2, sinceHintMs / 4);
  return Math.min(periodMs, 1000, Math.max(10, waitedMs / 10));
}
