import { isStatus } from '@flotilla/api';
import { describeError, KeyedQueue, type Outcome } from '@flotilla/base';
import type { ControllerContext } from './context.js';

/**
 * The work queue of one controller. Failures are retried with back-off; a conflict or a vanished object only means that
 * the cache was behind, so it is not worth a warning.
 */
export function reconciler(
  ctx: Pick<ControllerContext, 'clock' | 'logger'>,
  name: string,
  work: (key: string) => Promise<Outcome>,
  concurrency = 5,
): KeyedQueue {
  const logger = ctx.logger.with({ controller: name });
  return new KeyedQueue({
    clock: ctx.clock,
    work,
    concurrency,
    onError(key, error, retryInMs) {
      const stale = isStatus(error, 'Conflict') || isStatus(error, 'NotFound') || isStatus(error, 'AlreadyExists');
      const fields = { key, error: describeError(error), retryInMs: Math.round(retryInMs) };
      if (stale) logger.debug('reconciliation will be retried', fields);
      else logger.warn('reconciliation failed', fields);
    },
  });
}

/** Stops a queue and the listeners that feed it. */
export function running(queue: KeyedQueue, listeners: (() => void)[]): { stop(): Promise<void> } {
  return {
    stop() {
      for (const stop of listeners) stop();
      return queue.stop();
    },
  };
}
