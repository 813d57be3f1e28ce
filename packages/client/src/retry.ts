import { StatusError } from '@flotilla/api';
import { backoffDelay, type Clock, type Random, sleep } from '@flotilla/base';
import { TransportError } from './transport.js';

export interface RetryOptions {
  clock: Clock;
  random?: Random;
  /** From now on, milliseconds. */
  deadlineMs: number;
  signal?: AbortSignal;
}

/** Whether the same request may well succeed a little later. */
export function isRetryable(error: unknown): boolean {
  if (error instanceof TransportError) return error.code !== 'protocol';
  if (!(error instanceof StatusError)) return false;
  const { code, reason } = error.status;
  return code === 429 || code === 503 || code === 504 || reason === 'ServerTimeout';
}

/**
 * Runs `fn` again while it fails in a way that may pass (the master is restarting, NATS is away), until the deadline. For
 * reads and whatever may safely be done twice: an outcome may have been unknown.
 */
export async function retrying<T>(fn: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { clock, random, signal } = options;
  const deadline = clock.monotonic() + options.deadlineMs;
  for (let failures = 1; ; failures++) {
    try {
      return await fn();
    } catch (error) {
      const delay = backoffDelay({ base: 50, max: 1000, jitter: 0.5 }, failures, random);
      if (!isRetryable(error) || clock.monotonic() + delay > deadline) throw error;
      await sleep(clock, delay, signal);
    }
  }
}
