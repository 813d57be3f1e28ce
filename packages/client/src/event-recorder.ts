import { type core, coreEvents, formatTime, isStatus, type KubeObject } from '@flotilla/api';
import { type Clock, describeError, type Logger, type Random } from '@flotilla/base';
import type { Client, ResourceClient } from './client.js';
import { EventCorrelator, type EventFacts } from './event-correlator.js';
import { retrying } from './retry.js';

export interface EventRecorder {
  /** Records a core/v1 Event about `object`. Never blocks or throws; repetitions are counted up, floods are dropped. */
  event(object: KubeObject, type: 'Normal' | 'Warning', reason: string, message: string): void;
  /** Resolves when what was recorded so far has been sent or given up. */
  flush(): Promise<void>;
}

export interface EventRecorderOptions {
  /** E.g. `kubelet`, `default-scheduler`. */
  component: string;
  /** The node, where that matters. */
  host?: string;
  clock: Clock;
  random: Random;
  logger: Logger;
}

/** Events that may wait to be sent; more are dropped. */
const maxWaiting = 1000;
const giveUpMs = 30_000;

export function eventRecorder(client: Client, options: EventRecorderOptions): EventRecorder {
  return new Recorder(client.resource(coreEvents), options);
}

class Recorder implements EventRecorder {
  readonly #events: ResourceClient<core.Event>;
  readonly #options: EventRecorderOptions;
  readonly #correlator: EventCorrelator;
  #waiting = 0;
  #tail: Promise<void> = Promise.resolve();

  constructor(events: ResourceClient<core.Event>, options: EventRecorderOptions) {
    this.#events = events;
    this.#options = options;
    this.#correlator = new EventCorrelator(`${options.component}/${options.host ?? ''}`);
  }

  event(object: KubeObject, type: 'Normal' | 'Warning', reason: string, message: string): void {
    if (this.#waiting >= maxWaiting) return;
    const now = this.#options.clock.now();
    this.#waiting++;
    this.#tail = this.#tail
      .then(() => this.#record({ object: referenceTo(object), type, reason, message }, now))
      .catch((error: unknown) => {
        this.#options.logger.debug('cannot record an event', { reason, error: describeError(error) });
      })
      .finally(() => this.#waiting--);
  }

  flush(): Promise<void> {
    return this.#tail;
  }

  async #record(facts: EventFacts, now: number): Promise<void> {
    const step = this.#correlator.correlate(facts, now);
    if (step.act === 'drop') return;
    const { clock, random } = this.#options;
    const send = (fn: () => Promise<core.Event>) => retrying(fn, { clock, random, deadlineMs: giveUpMs });
    if (step.act === 'count') {
      const patch = { count: step.count, message: step.message, lastTimestamp: formatTime(now) };
      try {
        await send(() => this.#events.patch(step.ref, patch, { type: 'strategic' }));
        return;
      } catch (error) {
        // It has expired meanwhile: begin anew.
        if (!isStatus(error, 'NotFound')) throw error;
      }
    }
    const event = this.#newEvent(facts, step.message, now);
    try {
      await send(() => this.#events.create(event));
    } catch (error) {
      // The first try got through after all.
      if (!isStatus(error, 'AlreadyExists')) throw error;
    }
    this.#correlator.created(step.key, { name: event.metadata.name!, namespace: event.metadata.namespace! });
  }

  #newEvent(facts: EventFacts, message: string, now: number): core.Event {
    const { component, host, random } = this.#options;
    const { object, type, reason } = facts;
    // Upstream names events by the time in nanoseconds; ours has milliseconds, so the rest is chance.
    const suffix = (BigInt(now) * 1_000_000n + BigInt(Math.floor(random.next() * 1_000_000))).toString(16);
    const time = formatTime(now);
    return {
      metadata: { name: `${object.name}.${suffix}`, namespace: object.namespace ?? 'default' },
      involvedObject: object,
      reason,
      message,
      source: { component, ...(host ? { host } : {}) },
      firstTimestamp: time,
      lastTimestamp: time,
      count: 1,
      type,
      reportingComponent: component,
      reportingInstance: host ?? '',
    };
  }
}

function referenceTo(object: KubeObject): core.ObjectReference {
  const { name, namespace, uid, resourceVersion } = object.metadata;
  return {
    ...(object.kind ? { kind: object.kind } : {}),
    ...(object.apiVersion ? { apiVersion: object.apiVersion } : {}),
    ...(namespace ? { namespace } : {}),
    name: name ?? '',
    ...(uid ? { uid } : {}),
    ...(resourceVersion ? { resourceVersion } : {}),
  };
}
