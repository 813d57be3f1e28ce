import type { Clock, Timer } from '@flotilla/base';

/** Calls `onIdle` once `progress()` has not changed for `ms` (up to twice that). Does nothing for 0. */
export class IdleWatch {
  readonly #clock: Clock;
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  start(ms: number, progress: () => number, onIdle: () => void): void {
    this.stop();
    if (ms <= 0) return;
    let seen = progress();
    const check = (): void => {
      const now = progress();
      if (now === seen) return onIdle();
      seen = now;
      this.#timer = this.#clock.after(ms, check);
    };
    this.#timer = this.#clock.after(ms, check);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
