import type { Random } from './random.js';

export interface BackoffOptions {
  /** First delay, milliseconds. */
  base: number;
  /** Longest delay, milliseconds. */
  max: number;
  /** Growth from one failure to the next; 2 if absent. */
  factor?: number;
  /** Share of the delay that is random, 0 (default) to 1: the result lies in [delay × (1 − jitter), delay]. */
  jitter?: number;
}

/** The delay in milliseconds before attempt `failures` + 1, where `failures` ≥ 1 counts the failures so far. */
export function backoffDelay(options: BackoffOptions, failures: number, random?: Random): number {
  const factor = options.factor ?? 2;
  const delay = Math.min(options.max, options.base * factor ** Math.min(Math.max(0, failures - 1), 64));
  const jitter = random ? (options.jitter ?? 0) : 0;
  return delay * (1 - jitter * (random?.next() ?? 0));
}
