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

/** Delays in milliseconds of the tries between the regular ones, while nothing has answered yet. */
export function eagerDelay(tries: number, periodMs: number): number {
  return Math.min(periodMs, 10 * 1.5 ** Math.min(tries, 40), 1000);
}
