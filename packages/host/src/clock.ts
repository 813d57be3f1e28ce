import { performance } from 'node:perf_hooks';
import type { Clock, Random } from '@flotilla/base';

/** The machine's clock and timers. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, fn) {
    const timer = setTimeout(fn, ms);
    return { cancel: () => clearTimeout(timer) };
  },
};

export const systemRandom: Random = { next: Math.random };
