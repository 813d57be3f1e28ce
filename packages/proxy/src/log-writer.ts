import type { Clock, Timer } from '@flotilla/base';

/** Collects access log lines and writes them together: a write a line would cost more than the request's routing. */
export class LogWriter {
  readonly #write: (text: string) => void;
  readonly #clock: Clock;
  #lines: string[] = [];
  #size = 0;
  #timer: Timer | undefined;

  constructor(write: (text: string) => void, clock: Clock) {
    this.#write = write;
    this.#clock = clock;
  }

  readonly line = (text: string): void => {
    this.#lines.push(text);
    this.#size += text.length;
    if (this.#size >= 64 * 1024) return this.flush();
    this.#timer ??= this.#clock.after(100, () => this.flush());
  };

  flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#lines.length === 0) return;
    const text = this.#lines.join('');
    this.#lines = [];
    this.#size = 0;
    this.#write(text);
  }
}
