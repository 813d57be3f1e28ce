import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { backoffDelay, type Clock, deferred, type Timer } from '@flotilla/base';
import { processTags, readStat } from '@flotilla/host';
import { rotateLog } from './log-file.js';

/** How to start one supervised process. */
export interface ServiceSpec {
  /** `nats`, `master`, `pilot` or `agent:<node>`. */
  name: string;
  command: string;
  args: string[];
  env: Record<string, string>;
  logFile: string;
  /** `message`: ready when it says so over IPC. A function: polled until it resolves to true. */
  ready: 'message' | (() => Promise<boolean>);
}

export type ServiceState = 'starting' | 'ready' | 'restarting' | 'held' | 'stopped';

export interface ServiceStatus {
  name: string;
  state: ServiceState;
  pid?: number;
  restarts: number;
  /** Resident memory, bytes. */
  rss?: number;
  /** Milliseconds since its process started. */
  age?: number;
  /** Milliseconds from its process's start to ready, the last time. */
  readyMs?: number;
  lastExit?: string;
}

/** Restarts at once after the first failure, then with growing pauses; a quiet spell of 10 s forgives the past. */
const backoff = { base: 100, max: 5_000 };
const forgivenAfter = 10_000;
const readyPollMs = 10;

/** One supervised process: started, restarted when it ends, unless it is held down or stopped. */
export class Service {
  readonly #spec: ServiceSpec;
  readonly #clock: Clock;
  readonly #clusterDir: string;
  #child: ChildProcess | undefined;
  #state: ServiceState = 'stopped';
  #restarts = 0;
  #failures = 0;
  #startedAt = 0;
  #readyMs: number | undefined;
  #lastExit: string | undefined;
  #timer: Timer | undefined;
  #ready = deferred<void>();
  #ended = deferred<void>();
  onChange: (service: Service) => void = () => {};

  constructor(spec: ServiceSpec, clusterDir: string, clock: Clock) {
    this.#spec = spec;
    this.#clusterDir = clusterDir;
    this.#clock = clock;
    this.#ended.resolve();
  }

  get name(): string {
    return this.#spec.name;
  }

  get state(): ServiceState {
    return this.#state;
  }

  get logFile(): string {
    return this.#spec.logFile;
  }

  /** How the last process ended, e.g. `exit code 1`. */
  get lastExit(): string | undefined {
    return this.#lastExit;
  }

  /** Resolves when the process that runs now, or the next one, is ready. */
  whenReady(): Promise<void> {
    return this.#ready.promise;
  }

  start(): void {
    this.#timer?.cancel();
    if (this.#child) return;
    rotateLog(this.#spec.logFile);
    const log = openSync(this.#spec.logFile, 'a');
    const ipc = this.#spec.ready === 'message';
    this.#startedAt = this.#clock.monotonic();
    this.#ended = deferred();
    // Its own process group: a Ctrl-C in the terminal is for the supervisor alone, which then stops all in order.
    const child = spawn(this.#spec.command, this.#spec.args, {
      detached: true,
      stdio: ipc ? ['ignore', log, log, 'ipc'] : ['ignore', log, log],
      env: { ...process.env, ...this.#spec.env, [processTags.cluster]: this.#clusterDir },
    });
    closeSync(log);
    this.#child = child;
    this.#set('starting');
    child.once('error', (error) => this.#onEnd(child, error.message));
    child.once('exit', (code, signal) => this.#onEnd(child, signal ?? `exit code ${code}`));
    if (ipc) child.once('message', () => this.#onReady(child));
    else void this.#poll(child);
  }

  /** Takes it down and keeps it down. The process itself is the caller's to kill. */
  hold(): void {
    this.#timer?.cancel();
    this.#set('held');
  }

  /** Lets it run again, at once. */
  release(): void {
    this.#failures = 0;
    if (this.#state === 'held') this.#set('stopped');
    this.start();
  }

  /** SIGTERM, and SIGKILL if it is still there after `graceMs`. Resolves when it is gone. */
  async stop(graceMs: number): Promise<void> {
    this.#timer?.cancel();
    this.#set('stopped');
    const child = this.#child;
    if (!child) return;
    child.kill('SIGTERM');
    // A paused process cannot act on the signal before it continues.
    child.kill('SIGCONT');
    const timer = this.#clock.after(graceMs, () => void child.kill('SIGKILL'));
    await this.#ended.promise;
    timer.cancel();
  }

  status(): ServiceStatus {
    const pid = this.#child?.pid;
    const stat = pid === undefined ? undefined : readStat(pid);
    return {
      name: this.name,
      state: this.#state,
      pid,
      restarts: this.#restarts,
      rss: stat?.rss,
      age: stat ? this.#clock.monotonic() - this.#startedAt : undefined,
      readyMs: this.#readyMs,
      lastExit: this.#lastExit,
    };
  }

  #set(state: ServiceState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.onChange(this);
  }

  #onReady(child: ChildProcess): void {
    if (this.#child !== child || this.#state !== 'starting') return;
    this.#readyMs = Math.round(this.#clock.monotonic() - this.#startedAt);
    this.#set('ready');
    this.#ready.resolve();
  }

  async #poll(child: ChildProcess): Promise<void> {
    const { ready } = this.#spec;
    if (ready === 'message') return;
    while (this.#child === child && !(await ready())) await new Promise((next) => setTimeout(next, readyPollMs));
    this.#onReady(child);
  }

  #onEnd(child: ChildProcess, how: string): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    this.#lastExit = how;
    this.#ready = deferred();
    this.#ended.resolve();
    if (this.#state === 'held' || this.#state === 'stopped') return;
    if (this.#clock.monotonic() - this.#startedAt > forgivenAfter) this.#failures = 0;
    this.#failures++;
    this.#restarts++;
    const delay = this.#failures === 1 ? 0 : backoffDelay(backoff, this.#failures - 1);
    this.#set('restarting');
    this.#timer = this.#clock.after(delay, () => this.start());
  }
}
