/** Times in milliseconds. */
const limits = { quiet: 5, longestQuiet: 100, wait: 10, longestWait: 10_000, calm: 200 };

/**
 * When to push what has changed. The first change after some calm goes out almost at once; while changes keep coming, each
 * push waits longer for the others: until 5, 10, … 100 ms without a change, but no longer than 10, 40, … 10 000 ms after
 * the first. (Istio always waits for 100 ms without a change, at most 10 s.)
 */
export class Debounce {
  /** Pushes since the last calm. */
  #level = 0;
  #first: number | undefined;
  #last = Number.NEGATIVE_INFINITY;

  changed(now: number): void {
    if (this.#first === undefined && now - this.#last > limits.calm) this.#level = 0;
    this.#first ??= now;
    this.#last = now;
  }

  /** When to push, or undefined when nothing waits. Moves back as more changes come. */
  get dueAt(): number | undefined {
    if (this.#first === undefined) return undefined;
    const quiet = Math.min(limits.longestQuiet, limits.quiet * 2 ** this.#level);
    const wait = Math.min(limits.longestWait, limits.wait * 4 ** this.#level);
    return Math.min(this.#last + quiet, this.#first + wait);
  }

  /** What was waiting is being pushed. Returns when the first of it changed. */
  take(): number | undefined {
    const first = this.#first;
    this.#first = undefined;
    this.#level++;
    return first;
  }
}
