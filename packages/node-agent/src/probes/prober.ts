import type { core } from '@flotilla/api';
import type { Clock, Timer } from '@flotilla/base';
import type { ProbeResult } from './check.js';
import { count, eagerDelay, freshTally, type Tally } from './tally.js';

export type ProbeKind = 'startup' | 'readiness' | 'liveness';

export interface ProberOptions {
  kind: ProbeKind;
  probe: core.Probe;
  /** When the container's run began, milliseconds since the epoch. */
  startedAt: number;
  clock: Clock;
  check: (timeoutMs: number) => Promise<ProbeResult>;
  /** A regular try failed. */
  onFailure: (output: string) => void;
  /** A threshold was reached. */
  onVerdict: (success: boolean, output: string) => void;
}

/**
 * Probes one container every period. Until something answers for the first time, startup and readiness probes are also
 * tried in between, soon after the start and after every `hint`: such extra tries can only succeed, as their failures
 * do not count towards the threshold. So a container is ready when it is, not up to a period later.
 */
export class Prober {
  readonly #options: ProberOptions;
  readonly #periodMs: number;
  #tally: Tally = freshTally;
  #nextRegular: number;
  #timer: Timer | undefined;
  #busy = false;
  #hintedAt = Number.NEGATIVE_INFINITY;
  #stopped = false;

  constructor(options: ProberOptions) {
    this.#options = options;
    this.#periodMs = (options.probe.periodSeconds ?? 10) * 1000;
    const begin = options.startedAt + (options.probe.initialDelaySeconds ?? 0) * 1000;
    // Where there are tries in between, the first that counts comes when the program has had a period's time.
    this.#nextRegular = this.#eager() ? begin + this.#periodMs : begin;
    this.#schedule();
  }

  /** Something changed in the pod, e.g. a port was opened: a good moment to try. */
  hint(): void {
    this.#hintedAt = this.#options.clock.now();
    if (this.#eager() && !this.#busy && this.#begun()) this.#plan(0);
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #begun(): boolean {
    const { probe, startedAt, clock } = this.#options;
    return clock.now() >= startedAt + (probe.initialDelaySeconds ?? 0) * 1000;
  }

  #eager(): boolean {
    return this.#options.kind !== 'liveness' && this.#tally.outcome !== true;
  }

  #schedule(): void {
    const now = this.#options.clock.now();
    const regular = Math.max(0, this.#nextRegular - now);
    if (!this.#eager()) return this.#plan(regular);
    if (!this.#begun()) return this.#plan(regular - this.#periodMs);
    const soon = eagerDelay(now - this.#options.startedAt, now - this.#hintedAt, this.#periodMs);
    this.#plan(Math.min(regular, soon));
  }

  #plan(ms: number): void {
    if (this.#stopped) return;
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(Math.max(0, ms), () => void this.#try());
  }

  async #try(): Promise<void> {
    const { check, clock, probe } = this.#options;
    const regular = clock.now() >= this.#nextRegular;
    if (regular) this.#nextRegular = clock.now() + this.#periodMs;
    this.#busy = true;
    const result = await check((probe.timeoutSeconds ?? 1) * 1000);
    this.#busy = false;
    if (this.#stopped) return;
    this.#judge(result, regular);
    this.#schedule();
  }

  #judge({ success, output }: ProbeResult, regular: boolean): void {
    const { onFailure, onVerdict, probe } = this.#options;
    if (!success && !regular) return;
    if (!success) onFailure(output);
    const { tally, verdict } = count(this.#tally, success, {
      success: probe.successThreshold ?? 1,
      failure: probe.failureThreshold ?? 3,
    });
    this.#tally = tally;
    if (verdict !== undefined) onVerdict(verdict, output);
  }
}
