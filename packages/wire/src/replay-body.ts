import type { Readable, Writable } from 'node:stream';

/**
 * A request body that can be sent again: what went by is kept as long as it fits `limit` bytes. One sink at a time;
 * between two the source waits, so that a slow or absent upstream stalls the client instead of filling memory.
 */
export class ReplayBody {
  readonly #source: Readable | undefined;
  readonly #limit: number;
  #kept: Buffer[] = [];
  #bytes = 0;
  #lost = false;
  #ended: boolean;
  #sink: Writable | undefined;
  #onEnd: (() => void)[] = [];

  constructor(source: Readable | undefined, limit: number) {
    this.#source = source;
    this.#limit = limit;
    this.#ended = source === undefined;
    source?.pause();
    source?.on('data', (chunk: Buffer) => this.#take(chunk));
    source?.once('end', () => this.#finish());
    source?.pause();
  }

  /** Bytes seen so far. */
  get bytes(): number {
    return this.#bytes;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Whether a new sink would get the whole body. */
  get replayable(): boolean {
    return !this.#lost;
  }

  /** Runs `fn` when the whole body has been received; at once if it has. */
  onEnd(fn: () => void): void {
    if (this.#ended) fn();
    else this.#onEnd.push(fn);
  }

  /** A copy of the whole body, or undefined if it is not complete or did not fit. */
  snapshot(): Buffer | undefined {
    return this.#ended && !this.#lost ? Buffer.concat(this.#kept) : undefined;
  }

  /** Sends what is kept, then the rest as it comes, and ends the sink. */
  attach(sink: Writable): void {
    this.#sink = sink;
    for (const chunk of this.#kept) sink.write(chunk);
    if (this.#ended) return void sink.end();
    sink.on('drain', () => this.#sink === sink && this.#source?.resume());
    if (!sink.writableNeedDrain) this.#source?.resume();
  }

  /** No more is written to the sink. */
  detach(): void {
    this.#sink = undefined;
    if (!this.#ended) this.#source?.pause();
  }

  /** There will be no further attempt: forget what was kept. */
  release(): void {
    if (this.#bytes > 0) this.#lost = true;
    this.#kept = [];
  }

  /** Reads and drops what is left, so that the connection can serve the next request. */
  discard(): void {
    this.detach();
    this.release();
    this.#source?.resume();
  }

  #take(chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (!this.#lost) {
      if (this.#bytes <= this.#limit) this.#kept.push(chunk);
      else this.release();
    }
    if (this.#sink && !this.#sink.write(chunk)) this.#source?.pause();
  }

  #finish(): void {
    this.#ended = true;
    for (const fn of this.#onEnd.splice(0)) fn();
    this.#sink?.end();
  }
}
