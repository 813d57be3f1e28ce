import type { KubeObject, ResourceInfo } from '@flotilla/api';
import { type Clock, describeError, type Logger, type Random } from '@flotilla/base';
import { type Client, eventRecorder, Informer } from '@flotilla/client';
import type { Profile } from '@flotilla/host';
import { createCaches } from './caches.js';
import { schedulerName } from './feed.js';
import { Scheduler } from './scheduler.js';

export interface SchedulerOptions {
  client: Client;
  logger: Logger;
  clock: Clock;
  random: Random;
  config: {
    /** `kubernetes` backs off as upstream does; `fast` tries again sooner. */
    profile: Profile;
  };
}

export interface RunningScheduler {
  /** Resolves when the caches are filled and pods are being placed. */
  readonly started: Promise<void>;
  stop(): Promise<void>;
}

/** Starts the scheduler. It waits by itself for an API server that is not there yet. */
export function startScheduler(options: SchedulerOptions): RunningScheduler {
  const { client, logger, clock, random, config } = options;
  const informers: { start(): void; whenSynced(): Promise<void>; stop(): Promise<void> }[] = [];
  const open = <T extends KubeObject>(info: ResourceInfo<T>): Informer<T> => {
    const informer = new Informer(client, info, { logger, clock, random });
    informers.push(informer);
    return informer;
  };
  const caches = createCaches(open);
  const recorder = eventRecorder(client, { component: schedulerName, clock, random, logger });
  let stopped = false;
  let scheduler: Scheduler | undefined;
  for (const informer of informers) informer.start();
  const started = Promise.all(informers.map((informer) => informer.whenSynced())).then(() => {
    const { profile } = config;
    if (!stopped) scheduler = new Scheduler({ client, caches, recorder, logger, clock, random, profile });
  });
  started.catch((error: unknown) => {
    if (!stopped) logger.error('the scheduler did not start', { error: describeError(error) });
  });
  return {
    started,
    async stop() {
      stopped = true;
      await scheduler?.stop();
      await Promise.all(informers.map((informer) => informer.stop()));
    },
  };
}
