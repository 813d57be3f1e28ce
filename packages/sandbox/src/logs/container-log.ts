import {
  appendFileSync,
  closeSync,
  copyFileSync,
  existsSync,
  type FSWatcher,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  watch,
} from 'node:fs';
import type { Clock, Timer } from '@flotilla/base';
import { LogIndex } from './index-file.js';

export interface LogLimits {
  /** Bytes at which a log is rotated. */
  maxBytes: number;
  /** Files kept, the current one included. */
  maxFiles: number;
}

/** The kubelet's own defaults: containerLogMaxSize, containerLogMaxFiles. */
export const defaultLogLimits: LogLimits = { maxBytes: 10 * 1024 * 1024, maxFiles: 5 };

const indexOf = (file: string): string => `${file}.idx`;

/** Shortest time between two looks at a log that is being written, milliseconds: the grain of its time stamps. */
const settle = 10;

/**
 * The log of one run of a container. While the program runs we only watch: it appends by itself, so nothing is lost
 * when we die. Rotation copies and truncates, as the program keeps its file open.
 */
export class ContainerLog {
  readonly file: string;
  readonly #clock: Clock;
  readonly #limits: LogLimits;
  readonly #listeners = new Set<() => void>();
  #index: LogIndex;
  #watcher: FSWatcher | undefined;
  #cooling: Timer | undefined;
  #dirty = false;
  #live: boolean;
  #generation = 0;

  private constructor(file: string, clock: Clock, limits: LogLimits, live: boolean) {
    this.file = file;
    this.#clock = clock;
    this.#limits = limits;
    this.#live = live;
    this.#index = LogIndex.open(indexOf(file), live ? 'append' : 'readonly');
  }

  /** The log of a program that runs: keeps times and rotates until `close`. */
  static record(file: string, clock: Clock, limits: LogLimits = defaultLogLimits): ContainerLog {
    closeSync(openSync(file, 'a'));
    const log = new ContainerLog(file, clock, limits, true);
    // What was written while nobody watched is as old as the file's last change.
    const { size, mtimeMs } = statSync(file);
    log.#index.observe(size, Math.round(mtimeMs));
    try {
      log.#watcher = watch(file, () => log.#changed());
      log.#watcher.on('error', () => undefined);
    } catch {
      // Out of inotify watches: times are coarse and followers late, but nothing is lost.
    }
    return log;
  }

  /** The log of a program that has ended. */
  static past(file: string, clock: Clock): ContainerLog {
    return new ContainerLog(file, clock, defaultLogLimits, false);
  }

  /** False once the program has ended and everything it wrote is in the file. */
  get live(): boolean {
    return this.#live;
  }

  /** Rotations so far; a reader at some offset of the current file is afterwards at that offset of `<file>.1`. */
  get generation(): number {
    return this.#generation;
  }

  /** Calls back after each growth, rotation or the end; returns how to stop that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The files with their times, oldest first; the last one is current. */
  parts(): { file: string; index: LogIndex }[] {
    const parts = [{ file: this.file, index: this.#index }];
    for (let n = 1; existsSync(`${this.file}.${n}`); n++) {
      const file = `${this.file}.${n}`;
      parts.unshift({ file, index: LogIndex.open(indexOf(file), 'readonly') });
    }
    return parts;
  }

  /** Looks at the file now, e.g. before reading. */
  observe(): void {
    if (!this.#live) return;
    const size = fileSize(this.file);
    this.#index.observe(size, this.#clock.now());
    if (size >= this.#limits.maxBytes) this.#rotate();
  }

  /** The program has ended: takes a last look and watches no more. */
  close(): void {
    if (!this.#live) return;
    this.observe();
    this.#live = false;
    this.#watcher?.close();
    this.#cooling?.cancel();
    this.#index.close();
    this.#tell();
  }

  #changed(): void {
    this.#dirty = true;
    if (this.#cooling || !this.#live) return;
    this.#dirty = false;
    this.observe();
    this.#tell();
    this.#cooling = this.#clock.after(settle, () => {
      this.#cooling = undefined;
      if (this.#dirty) this.#changed();
    });
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }

  #rotate(): void {
    for (let n = this.#limits.maxFiles - 1; n > 1; n--) {
      const [from, to] = [`${this.file}.${n - 1}`, `${this.file}.${n}`];
      if (existsSync(from)) renameSync(from, to);
      if (existsSync(indexOf(from))) renameSync(indexOf(from), indexOf(to));
    }
    this.#index.close();
    if (this.#limits.maxFiles > 1) {
      copyFileSync(this.file, `${this.file}.1`);
      renameSync(indexOf(this.file), indexOf(`${this.file}.1`));
      appendTail(this.file, `${this.file}.1`);
    } else {
      rmSync(indexOf(this.file), { force: true });
    }
    truncateSync(this.file, 0);
    this.#index = LogIndex.open(indexOf(this.file), 'append');
    this.#generation++;
  }
}

export function fileSize(file: string): number {
  try {
    return statSync(file).size;
  } catch {
    return 0;
  }
}

/** What was appended to `from` while it was copied to `to`. */
function appendTail(from: string, to: string): void {
  const copied = fileSize(to);
  const rest = fileSize(from) - copied;
  if (rest <= 0) return;
  const buffer = Buffer.allocUnsafe(rest);
  const fd = openSync(from, 'r');
  try {
    appendFileSync(to, buffer.subarray(0, readSync(fd, buffer, 0, rest, copied)));
  } finally {
    closeSync(fd);
  }
}

/** Removes a log with its index and rotated files. */
export function removeLog(file: string): void {
  rmSync(file, { force: true });
  rmSync(indexOf(file), { force: true });
  for (let n = 1; existsSync(`${file}.${n}`); n++) {
    rmSync(`${file}.${n}`, { force: true });
    rmSync(indexOf(`${file}.${n}`), { force: true });
  }
}
