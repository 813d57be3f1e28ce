import { readdir, readFile } from 'node:fs/promises';
import { readStat } from '@flotilla/host';
import { sendSignal } from './procfs.js';

/**
 * Kills what is left of pods, wherever it hid: every process whose environment has `<tag>=<value>`. Requests that come
 * together share one walk through /proc.
 */
export class StraySweeper {
  readonly #tag: string;
  #wanted = new Set<string>();
  #round: Promise<void> | undefined;

  constructor(tag: string) {
    this.#tag = tag;
  }

  /** Resolves when a walk has found no living process with this value. */
  kill(value: string): Promise<void> {
    this.#wanted.add(value);
    // A walk under way may have passed by already: join the next one.
    this.#round ??= new Promise<void>((resolve) => setTimeout(resolve, 2)).then(() => {
      const values = this.#wanted;
      this.#wanted = new Set();
      this.#round = undefined;
      return this.#sweep(values);
    });
    return this.#round;
  }

  async #sweep(values: ReadonlySet<string>): Promise<void> {
    for (let round = 0; round < 10; round++) {
      if ((await this.#walk(values)) === 0) return;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async #walk(values: ReadonlySet<string>): Promise<number> {
    const marker = Buffer.from(`\0${this.#tag}=`);
    const pids = (await readdir('/proc')).map(Number).filter((pid) => pid > 0 && pid !== process.pid);
    let killed = 0;
    const look = async (pid: number): Promise<void> => {
      try {
        const environ = Buffer.concat([Buffer.of(0), await readFile(`/proc/${pid}/environ`), Buffer.of(0)]);
        const start = environ.indexOf(marker);
        if (start < 0) return;
        const from = start + marker.length;
        if (!values.has(environ.toString('utf8', from, environ.indexOf(0, from)))) return;
        if (readStat(pid)?.state !== 'Z' && sendSignal(pid, 'SIGKILL')) killed++;
      } catch {
        // Gone meanwhile, or another user's.
      }
    };
    for (let i = 0; i < pids.length; i += 32) await Promise.all(pids.slice(i, i + 32).map(look));
    return killed;
  }
}
