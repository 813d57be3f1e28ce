import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';

/**
 * When which bytes of a log were written. The log itself stays exactly what the program wrote; beside it each entry says
 * "at `time` the log reached `end` bytes". Append-only on disk, 16 bytes an entry (two little-endian doubles).
 */
export class LogIndex {
  readonly #ends: number[] = [];
  readonly #times: number[] = [];
  #fd: number | undefined;

  private constructor(fd: number | undefined) {
    this.#fd = fd;
  }

  /** Opens or creates the index in `file`; `readonly` reads what is there, if anything. */
  static open(file: string, mode: 'append' | 'readonly'): LogIndex {
    const index = new LogIndex(mode === 'append' ? openSync(file, 'a') : undefined);
    try {
      const bytes = readFileSync(file);
      for (let i = 0; i + 16 <= bytes.length; i += 16)
        index.#remember(bytes.readDoubleLE(i), bytes.readDoubleLE(i + 8));
    } catch {
      // No index: times are then unknown, see timeAt.
    }
    return index;
  }

  /** Bytes accounted for. */
  get end(): number {
    return this.#ends.at(-1) ?? 0;
  }

  /** Notes that the log had `end` bytes at `time` (milliseconds since the epoch). */
  observe(end: number, time: number): void {
    if (end <= this.end) return;
    this.#remember(end, time);
    if (this.#fd === undefined) return;
    const entry = Buffer.allocUnsafe(16);
    entry.writeDoubleLE(end, 0);
    entry.writeDoubleLE(time, 8);
    writeSync(this.#fd, entry);
  }

  /** When the byte at `offset` was written; undefined where the index does not reach. */
  timeAt(offset: number): number | undefined {
    const i = this.#firstWhere((at) => this.#ends[at]! > offset);
    return this.#times[i];
  }

  /** The first byte written at or after `time`; `end` if there is none. */
  offsetSince(time: number): number {
    const i = this.#firstWhere((at) => this.#times[at]! >= time);
    return i === 0 ? 0 : (this.#ends[i - 1] ?? this.end);
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #remember(end: number, time: number): void {
    this.#ends.push(end);
    // The machine's clock may be set back; times must ascend to be searched.
    this.#times.push(Math.max(time, this.#times.at(-1) ?? 0));
  }

  #firstWhere(holds: (i: number) => boolean): number {
    let low = 0;
    let high = this.#ends.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (holds(middle)) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
