import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { core } from '@flotilla/api';
import { backoffDelay, describeError, type Timer } from '@flotilla/base';
import {
  ContainerLog,
  type ContainerProcess,
  type ExitStatus,
  type PodNetwork,
  type ResolvedImage,
} from '@flotilla/sandbox';
import { countCrash } from './decide.js';
import { runHook } from './hooks.js';
import { resolveImage } from './image-pull.js';
import { prepareLaunch, saveLaunch } from './launch.js';
import type { PodHost } from './node.js';
import { type ContainerRecord, newRecord } from './observed.js';
import { RunHealth } from './run-health.js';
import { terminationLog, terminationMessage } from './termination-message.js';

/** At the end of a pod upstream gives a container at least this long after its preStop hook, milliseconds. */
const leastGrace = 2000;

/** One container: begins its runs, looks after them, ends them. Changes its record and nobody else's. */
export class ContainerRunner {
  readonly #host: PodHost;
  readonly #name: string;
  #process: ContainerProcess | undefined;
  #log: ContainerLog | undefined;
  #watch: RunHealth | undefined;
  #killTimer: { at: number; timer: Timer } | undefined;

  constructor(host: PodHost, name: string) {
    this.#host = host;
    this.#name = name;
  }

  get record(): ContainerRecord {
    return (this.#host.record.containers[this.#name] ??= newRecord());
  }

  /** The present run's log, or the one before. */
  log(previous: boolean): ContainerLog | undefined {
    const { runs, state } = this.record;
    if (!previous && this.#log) return this.#log;
    // Waiting to begin again, the last run is still the one that people ask for.
    const run = previous ? runs - 1 : runs;
    if (run < 1 || (previous && state === 'idle')) return undefined;
    return ContainerLog.past(join(this.#runDir(run), 'log'), this.#host.node.clock);
  }

  /** Begins a run. Never rejects: what stands in the way is written into the record. */
  async start(): Promise<void> {
    const { record } = this;
    const wasEnded = record.state === 'ended';
    record.state = 'starting';
    delete record.retryAt;
    try {
      const image = resolveImage(this.#container(), record, this.#host.pod(), this.#host.node);
      if (!image) return;
      const { network, volumes } = await this.#host.prepared();
      await this.#host.node.config.ready(this.#host.record.namespace, this.#host.pod().spec);
      if (this.#host.record.termination) return this.#back(wasEnded);
      this.#launch(image, network, volumes);
    } catch (error) {
      this.#obstacle('CreateContainerError', describeError(error));
    } finally {
      if (record.state === 'starting') this.#back(wasEnded);
      this.#host.changed();
    }
  }

  /** Takes over a run that the agent before us began. */
  adopt(): void {
    const { record } = this;
    if (record.state !== 'running' && record.state !== 'starting') return;
    const found = this.#host.node.processes.adopt(this.#runDir(record.runs));
    if (!found) {
      // Written down and never begun.
      record.state = record.ended ? 'ended' : 'idle';
      if (record.runs > 1) record.restarts--;
      record.runs = Math.max(0, record.runs - 1);
      return;
    }
    if ('code' in found) {
      this.#ended(found);
      return;
    }
    record.state = 'running';
    record.stopping = false;
    record.startedAt ??= this.#host.node.clock.now();
    this.#follow(found);
    if (record.started) this.#watch?.probe();
    else void this.#watch?.startUp();
  }

  /**
   * Ends the run: preStop, SIGTERM, and SIGKILL once `grace` seconds are over. Asked again, the shorter grace counts.
   */
  stop(grace: number, message: string): void {
    const { record } = this;
    const { clock, events } = this.#host.node;
    if (record.state !== 'running' || !this.#process) return;
    this.#killBy(clock.now() + grace * 1000);
    if (record.stopping) return;
    record.stopping = true;
    events.event(this.#host.pod(), 'Normal', 'Killing', message);
    void this.#terminate(this.#process, grace);
  }

  /** A good moment to try the probes. */
  hint(): void {
    this.#watch?.hint();
  }

  /** SIGTERM now and SIGKILL soon; resolves when the run is over. For the end of the agent itself. */
  async kill(graceMs: number): Promise<void> {
    const process = this.#process;
    if (!process) return;
    this.#watch?.stop();
    this.#killBy(this.#host.node.clock.now() + graceMs);
    void process.signal(this.#stopSignal());
    await process.exited;
  }

  /** Looks after nothing any more; the process runs on. */
  release(): void {
    this.#watch?.stop();
    this.#killTimer?.timer.cancel();
    this.#process?.release();
    this.#log?.close();
  }

  #container(): core.Container {
    const { spec } = this.#host.pod();
    const found = [...spec.containers, ...(spec.initContainers ?? [])].find(({ name }) => name === this.#name);
    return found ?? { name: this.#name, resources: {} };
  }

  #runDir(run: number): string {
    return join(this.#host.dir, 'containers', this.#name, String(run));
  }

  #back(wasEnded: boolean): void {
    this.record.state = wasEnded ? 'ended' : 'idle';
  }

  #obstacle(reason: string, message: string): void {
    const { node } = this.#host;
    const { record } = this;
    record.obstacles++;
    record.waiting = { reason, message };
    record.retryAt = node.clock.now() + backoffDelay({ base: 500, max: 10_000 }, record.obstacles);
    node.events.event(this.#host.pod(), 'Warning', 'Failed', `Error: ${message}`);
  }

  #launch(image: ResolvedImage, network: PodNetwork, volumes: ReadonlyMap<string, string>): void {
    const { node } = this.#host;
    const { record } = this;
    const run = record.runs + 1;
    const runDir = this.#runDir(run);
    // A directory left by a run that was begun but never written down would lend us its exit code.
    rmSync(runDir, { recursive: true, force: true });
    mkdirSync(runDir, { recursive: true });
    writeFileSync(terminationLog(runDir), '');
    const container = this.#container();
    const containerDir = join(this.#host.dir, 'containers', this.#name);
    const pod = this.#host.pod();
    const launch = prepareLaunch(container, image, { node, pod, network, volumes, containerDir, runDir });
    if ('problem' in launch) return this.#obstacle('CreateContainerConfigError', launch.problem);
    saveLaunch(runDir, launch);
    this.#begin(run);
    node.events.event(pod, 'Normal', 'Created', `Created container: ${this.#name}`);
    try {
      const process = node.processes.start({ ...launch, dir: runDir, logFile: join(runDir, 'log') });
      node.events.event(pod, 'Normal', 'Started', `Started container ${this.#name}`);
      record.state = 'running';
      this.#follow(process);
      rmSync(this.#runDir(run - 2), { recursive: true, force: true });
      void this.#watch?.startUp();
    } catch (error) {
      const message = `failed to create containerd task: failed to create shim task: ${describeError(error)}`;
      node.events.event(pod, 'Warning', 'Failed', `Error: ${message}`);
      this.#ended({ code: 128, finishedAt: node.clock.now() }, { reason: 'StartError', message });
    }
  }

  /** Writes the new run down before it begins, so that an agent that dies now leaves no unknown process. */
  #begin(run: number): void {
    const { record } = this;
    const { random, clock } = this.#host.node;
    let id = '';
    while (id.length < 64) id += Math.floor(random.next() * 16).toString(16);
    if (record.ended) record.previous = record.ended;
    delete record.ended;
    delete record.waiting;
    record.runs = run;
    if (run > 1) record.restarts++;
    record.containerID = `flotilla://${id}`;
    record.startedAt = clock.now();
    record.started = false;
    record.ready = false;
    record.stopping = false;
    record.obstacles = 0;
    this.#host.save();
  }

  #follow(process: ContainerProcess): void {
    const { clock } = this.#host.node;
    this.#process = process;
    this.#watch = this.#health();
    this.#log = ContainerLog.record(join(this.#runDir(this.record.runs), 'log'), clock);
    void process.exited.then((exit) => {
      if (this.#process !== process) return;
      this.#ended(exit);
      this.#host.changed();
    });
  }

  #ended(exit: ExitStatus, why?: { reason: string; message: string }): void {
    const { record } = this;
    const { clock } = this.#host.node;
    this.#watch?.stop();
    this.#killTimer?.timer.cancel();
    this.#killTimer = undefined;
    this.#log?.close();
    this.#log = undefined;
    this.#process = undefined;
    const startedAt = record.startedAt ?? 0;
    const finishedAt = Math.max(exit.finishedAt || clock.now(), startedAt);
    const message = why?.message ?? terminationMessage(this.#runDir(record.runs), this.#container(), exit.code);
    record.state = 'ended';
    record.ended = {
      code: exit.code,
      startedAt: why ? 0 : startedAt,
      finishedAt,
      reason: why?.reason ?? (exit.code === 0 ? 'Completed' : 'Error'),
      ...(message ? { message } : {}),
      ...(record.containerID === undefined ? {} : { containerID: record.containerID }),
    };
    record.crashes = countCrash(record, finishedAt - startedAt);
    record.started = false;
    record.ready = false;
    record.stopping = false;
  }

  #stopSignal(): NodeJS.Signals {
    const wanted = this.#container().lifecycle?.stopSignal;
    return wanted && !wanted.startsWith('SIGRT') ? (wanted as NodeJS.Signals) : 'SIGTERM';
  }

  #health(): RunHealth {
    return new RunHealth(this.#host, this.#name, this.record, {
      container: () => this.#container(),
      runDir: this.#runDir(this.record.runs),
      stop: (grace, message) => this.stop(grace, message),
    });
  }

  #killBy(at: number): void {
    if (this.#killTimer && this.#killTimer.at <= at) return;
    this.#killTimer?.timer.cancel();
    const { clock } = this.#host.node;
    const timer = clock.after(Math.max(0, at - clock.now()), () => this.#process?.kill());
    this.#killTimer = { at, timer };
  }

  async #terminate(process: ContainerProcess, grace: number): Promise<void> {
    const { clock, events } = this.#host.node;
    const hook = this.#container().lifecycle?.preStop;
    if (hook && grace > 0) {
      const problem = await runHook(hook, grace * 1000, this.#health().context());
      if (problem !== undefined) events.event(this.#host.pod(), 'Warning', 'FailedPreStopHook', 'PreStopHook failed');
      if (this.#process !== process) return;
      const left = (this.#killTimer?.at ?? 0) - clock.now();
      if (left < leastGrace && this.#killTimer) {
        this.#killTimer.timer.cancel();
        this.#killTimer = undefined;
        this.#killBy(clock.now() + leastGrace);
      }
    }
    await process.signal(this.#stopSignal());
  }
}
