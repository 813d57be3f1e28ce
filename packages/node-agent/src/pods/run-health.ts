import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { core } from '@flotilla/api';
import { describeError } from '@flotilla/base';
import { check } from '../probes/check.js';
import { type ProbeKind, Prober } from '../probes/prober.js';
import { type HookContext, runHook } from './hooks.js';
import type { Launch } from './launch.js';
import type { PodHost } from './node.js';
import type { ContainerRecord } from './observed.js';
import { runCommand } from './run-command.js';

/** Of the run that is watched. */
export interface RunAccess {
  container: () => core.Container;
  runDir: string;
  /** Ends the run. */
  stop: (graceSeconds: number, message: string) => void;
}

/** The longest a postStart hook may take, milliseconds; upstream knows no limit. */
const postStartLimit = 3_600_000;

/** Whether one run of a container has started, is ready and is alive: its postStart hook and its probes. */
export class RunHealth {
  readonly #host: PodHost;
  readonly #name: string;
  readonly #record: ContainerRecord;
  readonly #run: RunAccess;
  #probers: Prober[] = [];
  #over = false;

  constructor(host: PodHost, name: string, record: ContainerRecord, run: RunAccess) {
    this.#host = host;
    this.#name = name;
    this.#record = record;
    this.#run = run;
  }

  /** postStart, then the startup probe, then the others. */
  async startUp(): Promise<void> {
    const { lifecycle, startupProbe } = this.#run.container();
    if (lifecycle?.postStart) {
      const problem = await runHook(lifecycle.postStart, postStartLimit, this.context());
      if (this.#over) return;
      if (problem !== undefined) {
        this.#host.node.events.event(this.#host.pod(), 'Warning', 'FailedPostStartHook', 'PostStartHook failed');
        this.#run.stop(this.#grace(), `FailedPostStartHook: ${problem}`);
        return;
      }
    }
    if (startupProbe) this.#add('startup', startupProbe);
    else this.#started();
  }

  /** Begins with readiness and liveness: the run has started. */
  probe(): void {
    const { readinessProbe, livenessProbe } = this.#run.container();
    if (readinessProbe) this.#add('readiness', readinessProbe);
    if (livenessProbe) this.#add('liveness', livenessProbe);
  }

  /** A good moment to try. */
  hint(): void {
    for (const prober of this.#probers) prober.hint();
  }

  stop(): void {
    this.#over = true;
    this.#stopProbers();
  }

  /** What hooks and probes need of the run. */
  context(): HookContext {
    return {
      podIP: this.#host.record.podIP ?? this.#host.node.nodeIP,
      container: this.#run.container(),
      clock: this.#host.node.clock,
      run: (command, timeoutMs) => {
        try {
          const launch = JSON.parse(readFileSync(join(this.#run.runDir, 'launch.json'), 'utf8')) as Launch;
          return runCommand(launch, command, timeoutMs);
        } catch (error) {
          return Promise.resolve({ code: 126, output: describeError(error) });
        }
      },
    };
  }

  #started(): void {
    this.#record.started = true;
    if (!this.#run.container().readinessProbe) this.#record.ready = true;
    this.probe();
    this.#host.changed();
  }

  #add(kind: ProbeKind, probe: core.Probe): void {
    const { clock, events } = this.#host.node;
    const title = `${kind[0]!.toUpperCase()}${kind.slice(1)}`;
    const prober = new Prober({
      kind,
      probe,
      startedAt: this.#record.startedAt ?? clock.now(),
      clock,
      check: (timeoutMs) => check(probe, timeoutMs, this.context()),
      onFailure: (output) => events.event(this.#host.pod(), 'Warning', 'Unhealthy', `${title} probe failed: ${output}`),
      onVerdict: (success) => this.#verdict(kind, probe, success),
    });
    this.#probers.push(prober);
  }

  #verdict(kind: ProbeKind, probe: core.Probe, success: boolean): void {
    if (kind === 'readiness') {
      if (this.#record.ready === success) return;
      this.#record.ready = success;
      this.#host.changed();
    } else if (!success) {
      // A container that is being ended need not prove that it is alive.
      if (this.#record.stopping) return;
      const grace = probe.terminationGracePeriodSeconds ?? this.#grace();
      this.#run.stop(grace, `Container ${this.#name} failed ${kind} probe, will be restarted`);
    } else if (kind === 'startup' && !this.#record.started) {
      this.#stopProbers();
      this.#started();
    }
  }

  #stopProbers(): void {
    for (const prober of this.#probers) prober.stop();
    this.#probers = [];
  }

  #grace(): number {
    return this.#host.pod().spec.terminationGracePeriodSeconds ?? 30;
  }
}
