import { type core, coreEvents, parseTime } from '@flotilla/api';
import { type Clock, describeError, type Logger, type Timer } from '@flotilla/base';
import type { Objects } from './storage.js';

/** Upstream's `--event-ttl`, milliseconds since the event was last written. */
export const eventTtl = 60 * 60_000;
const sweepEvery = 60_000;

/** When an event happened for the last time, as far as it says itself. */
export function lastSeen(event: core.Event): number {
  const times = [
    event.metadata.creationTimestamp,
    event.lastTimestamp,
    event.eventTime,
    event.series?.lastObservedTime,
  ];
  return Math.max(...times.map((t) => parseTime(t) ?? 0));
}

/** Removes events an hour after they were last seen: they are news, not state. */
export function expireEvents(deps: { objects: Objects; clock: Clock; logger: Logger }): { stop(): void } {
  let timer: Timer;
  const sweep = async (): Promise<void> => {
    try {
      const oldest = deps.clock.now() - eventTtl;
      for (const event of deps.objects.list(coreEvents)) {
        if (lastSeen(event) < oldest) await deps.objects.remove(coreEvents, event);
      }
    } catch (error) {
      deps.logger.debug('cannot expire events now', { error: describeError(error) });
    }
  };
  const schedule = (): void => {
    timer = deps.clock.after(sweepEvery, () => void sweep().then(schedule));
  };
  schedule();
  return { stop: () => timer.cancel() };
}
