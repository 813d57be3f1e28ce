import { type Clock, describeError, type Logger, type Timer } from '@flotilla/base';
import type { ConnectionState } from './connection.js';
import type { StreamLog } from './log.js';

const longestSweepMs = 5_000;

/**
 * Deletions stay in the log as messages, so that whoever follows it learns of them, and are removed when they are old: a
 * follower that has been away for longer starts anew (see `maxAbsenceMs` in `store.ts`).
 */
export class Tombstones {
  readonly #log: StreamLog;
  readonly #connection: ConnectionState;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #ageMs: number;
  /** By key: a key that is created again has overwritten its tombstone. */
  readonly #graves = new Map<string, { seq: number; time: number }>();
  #timer: Timer | undefined;
  #stopped = false;

  constructor(o: { log: StreamLog; connection: ConnectionState; clock: Clock; logger: Logger; ageMs: number }) {
    this.#log = o.log;
    this.#connection = o.connection;
    this.#clock = o.clock;
    this.#logger = o.logger;
    this.#ageMs = o.ageMs;
  }

  get #sweepMs(): number {
    return Math.min(longestSweepMs, this.#ageMs / 2);
  }

  /** Number of tombstones in the log. */
  get size(): number {
    return this.#graves.size;
  }

  /** `time`: milliseconds since the epoch. */
  deleted(key: string, seq: number, time: number): void {
    this.#graves.delete(key);
    this.#graves.set(key, { seq, time });
  }

  written(key: string): void {
    this.#graves.delete(key);
  }

  /** Starts removing; for the writer only. `endOfLog` is never removed: the server finds its last sequence by it. */
  start(endOfLog: () => number): void {
    const sweep = async (): Promise<void> => {
      try {
        if (this.#connection.up) await this.#sweep(endOfLog);
      } catch (error) {
        this.#logger.debug('cannot remove old tombstones', { error: describeError(error) });
      }
      if (!this.#stopped) this.#timer = this.#clock.after(this.#sweepMs, () => void sweep());
    };
    this.#timer = this.#clock.after(this.#sweepMs, () => void sweep());
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  async #sweep(endOfLog: () => number): Promise<void> {
    for (const [key, grave] of this.#graves) {
      // Insertion order is the order of the log, so the rest is younger.
      if (this.#stopped || grave.time > this.#clock.now() - this.#ageMs) return;
      if (grave.seq >= endOfLog()) return;
      this.#graves.delete(key);
      await this.#log.remove(grave.seq).catch((error: unknown) => {
        this.#logger.debug('cannot remove a tombstone', { key, error: describeError(error) });
      });
    }
  }
}
