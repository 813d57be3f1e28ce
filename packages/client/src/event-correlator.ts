import type { core } from '@flotilla/api';

/** What an event is about and says. */
export interface EventFacts {
  object: core.ObjectReference;
  type: string;
  reason: string;
  message: string;
}

export type EventStep =
  | { act: 'drop' }
  | { act: 'create'; key: string; message: string }
  /** Seen before: count it up there. */
  | { act: 'count'; key: string; message: string; count: number; ref: { name: string; namespace: string } };

/** client-go `events_cache.go`: a burst of 25 per object, then one every five minutes. */
const spamBurst = 25;
const spamRefillMs = 300_000;
/** Events that differ in nothing but the message, within this time, before they are lumped together. */
const maxSimilar = 10;
const similarWindowMs = 600_000;
/** Things remembered of each sort. */
const memory = 4096;

/** A map that forgets what was used least recently. */
class Recent<V> {
  readonly #map = new Map<string, V>();

  get(key: string): V | undefined {
    const value = this.#map.get(key);
    if (value !== undefined) {
      this.#map.delete(key);
      this.#map.set(key, value);
    }
    return value;
  }

  set(key: string, value: V): void {
    this.#map.delete(key);
    this.#map.set(key, value);
    const oldest = this.#map.size > memory ? this.#map.keys().next().value : undefined;
    if (oldest !== undefined) this.#map.delete(oldest);
  }
}

/** Decides what becomes of an event: a new object, a count on an old one, or nothing. Pure but for its memory. */
export class EventCorrelator {
  readonly #source: string;
  readonly #buckets = new Recent<{ tokens: number; at: number }>();
  readonly #similar = new Recent<{ messages: Set<string>; last: number }>();
  readonly #seen = new Recent<{ count: number; ref?: { name: string; namespace: string } }>();

  constructor(source: string) {
    this.#source = source;
  }

  /** `now`: milliseconds. */
  correlate(facts: EventFacts, now: number): EventStep {
    const { object, type, reason } = facts;
    const about = [this.#source, object.kind, object.namespace, object.name, object.uid, object.apiVersion].join('\0');
    if (this.#isSpam(about, now)) return { act: 'drop' };
    const group = [about, type, reason].join('\0');
    const lumped = this.#isLumped(group, facts.message, now);
    const message = lumped ? `(combined from similar events): ${facts.message}` : facts.message;
    const key = lumped ? group : [group, object.fieldPath, facts.message].join('\0');
    const seen = this.#seen.get(key);
    if (!seen?.ref) {
      this.#seen.set(key, { count: 1 });
      return { act: 'create', key, message };
    }
    seen.count++;
    return { act: 'count', key, message, count: seen.count, ref: seen.ref };
  }

  /** The event for `key` exists now, with a count of 1. */
  created(key: string, ref: { name: string; namespace: string }): void {
    this.#seen.set(key, { count: 1, ref });
  }

  #isSpam(about: string, now: number): boolean {
    const bucket = this.#buckets.get(about) ?? { tokens: spamBurst, at: now };
    const tokens = Math.min(spamBurst, bucket.tokens + Math.max(0, now - bucket.at) / spamRefillMs);
    this.#buckets.set(about, { tokens: tokens >= 1 ? tokens - 1 : tokens, at: now });
    return tokens < 1;
  }

  #isLumped(group: string, message: string, now: number): boolean {
    const before = this.#similar.get(group);
    const similar =
      before && now - before.last <= similarWindowMs ? before : { messages: new Set<string>(), last: now };
    similar.last = now;
    similar.messages.add(message);
    this.#similar.set(group, similar);
    if (similar.messages.size < maxSimilar) return false;
    // Enough is known of them; the set need not grow.
    if (similar.messages.size > maxSimilar) similar.messages.delete(message);
    return true;
  }
}
