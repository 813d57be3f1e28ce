import type { NodeTiming } from './timing.js';

/** What a ping found: `gone`, nobody listens there; `silent`, no answer in time; `unknown`, we could not ask. */
export type PingResult = 'alive' | 'gone' | 'silent' | 'unknown';

export interface PingRequest {
  node: string;
  timeoutMs: number;
}

interface Watched {
  /** Milliseconds without a heartbeat, counted only while the monitor itself ran on time. */
  silence: number;
  /** The same by the monotonic clock. */
  since: number;
  /** Milliseconds since NATS reported the connection gone, counted likewise. */
  disconnected: number | undefined;
  /** Whether a heartbeat has been heard at all. */
  heard: boolean;
  pinging: boolean;
  dead: boolean;
}

/** Share of the tick by which the monitor may be late and still count as on time. */
const onTimeShare = 0.5;
/** After this many limits by the clock a node is asked even if the monitor never ran on time. */
const hardLimit = 10;
/**
 * How much full pressure on the CPU stretches the limits. Little, for the figure is near 1 on any busy machine; the
 * monitor's own lag says more.
 */
const pressureWeight = 0.5;
/** All nodes quiet at once is likelier our own deafness, or a restart of the bus, than the death of all. */
const commonCauseFactor = 3;

/**
 * Decides which nodes are dead, from heartbeats, NATS advisories and pings. Holds state, but no timer and no clock: times
 * are arguments, in milliseconds of a monotonic clock.
 *
 * A machine short of CPU delays heartbeats as a dead agent would. So silence is counted only over ticks in which the
 * monitor itself got the CPU in time, the limit grows with the lag the monitor sees on itself and with the kernel's
 * pressure figure, and a node is given up only after it failed to answer a ping.
 */
export class NodeMonitor {
  readonly #timing: NodeTiming;
  readonly #watched = new Map<string, Watched>();
  readonly #listeners = new Set<(node: string) => void>();
  #lastTick: number | undefined;
  /** The worst lateness of late, fading by a tenth each tick. */
  #lag = 0;

  constructor(timing: NodeTiming) {
    this.#timing = timing;
  }

  /** Starts to watch a node; it has the start-up grace for its first heartbeat. Known nodes are left as they are. */
  add(node: string, now: number): void {
    if (!this.#watched.has(node)) this.#watched.set(node, { ...fresh(now), heard: false, dead: false });
  }

  remove(node: string): void {
    this.#watched.delete(node);
  }

  /** Calls back with every node that has died or come back. Returns the way to stop. */
  onVerdict(listener: (node: string) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  heartbeat(node: string, now: number): void {
    this.#alive(node, now);
  }

  /** The agent's connection is back: its heartbeats have a new chance, but it counts as alive only when one arrives. */
  connected(node: string, now: number): void {
    const watched = this.#watched.get(node);
    if (!watched) return;
    watched.disconnected = undefined;
    if (!watched.dead) Object.assign(watched, fresh(now));
  }

  disconnected(node: string): void {
    const watched = this.#watched.get(node);
    if (watched && this.#timing.reconnect !== undefined) watched.disconnected ??= 0;
  }

  isDead(node: string): boolean {
    return this.#watched.get(node)?.dead ?? false;
  }

  /**
   * Time passes. Gives back the nodes to be pinged; the answer goes to `pinged`.
   *
   * @param pressure share of time, 0 to 1, in which tasks waited for a CPU; undefined if unknown.
   */
  tick(now: number, pressure: () => number | undefined): PingRequest[] {
    const elapsed = this.#lastTick === undefined ? 0 : now - this.#lastTick;
    this.#lastTick = now;
    const lateness = Math.max(0, elapsed - this.#timing.tick);
    this.#lag = Math.max(lateness, this.#lag * 0.9);
    const onTime = lateness <= this.#timing.tick * onTimeShare;
    const alive = [...this.#watched.values()].filter((w) => !w.dead);
    if (onTime) {
      for (const watched of alive) {
        watched.silence += elapsed;
        if (watched.disconnected !== undefined) watched.disconnected += elapsed;
      }
    }
    const suspects = this.#suspects(now, alive, pressure);
    for (const [, watched] of suspects) watched.pinging = true;
    const timeoutMs = Math.round(this.#timing.ping + 4 * this.#lag);
    return suspects.map(([node]) => ({ node, timeoutMs }));
  }

  /** The result of a ping that `tick` asked for. */
  pinged(node: string, result: PingResult, now: number): void {
    const watched = this.#watched.get(node);
    if (!watched?.pinging) return;
    watched.pinging = false;
    if (result === 'alive') this.#alive(node, now);
    // We are cut off ourselves: what was counted says nothing about the node.
    else if (result === 'unknown') Object.assign(watched, fresh(now));
    // Disconnected, but somebody answers slowly at its place: it came back and may be starved. Judge by its heartbeats.
    else if (result === 'silent' && watched.disconnected !== undefined) watched.disconnected = undefined;
    else {
      watched.dead = true;
      this.#tell(node);
    }
  }

  #alive(node: string, now: number): void {
    const watched = this.#watched.get(node);
    if (!watched) return;
    const wasDead = watched.dead;
    Object.assign(watched, fresh(now), { heard: true, dead: false });
    if (wasDead) this.#tell(node);
  }

  #tell(node: string): void {
    for (const listener of this.#listeners) listener(node);
  }

  #suspects(now: number, alive: Watched[], pressure: () => number | undefined): [string, Watched][] {
    const { silence, startup, reconnect, tick } = this.#timing;
    const quiet = alive.some(
      (w) => w.disconnected !== undefined || w.silence > silence / 2 || now - w.since > silence * 2,
    );
    if (!quiet) return [];
    const starved = 1 + pressureWeight * (pressure() ?? 0);
    const allQuiet = alive.every((w) => w.disconnected !== undefined || w.silence > silence / 2);
    const doubt = allQuiet ? commonCauseFactor : 1;
    return [...this.#watched].filter(([, w]) => {
      if (w.dead || w.pinging) return false;
      if (reconnect !== undefined && w.disconnected !== undefined) {
        // Of a single node its own advisory is evidence enough.
        const limit = reconnect * (alive.length > 1 ? doubt : 1);
        if (w.disconnected + tick / 2 >= limit) return true;
      }
      const limit = (w.heard ? silence : startup) * starved * doubt + 4 * this.#lag;
      return w.silence >= limit || now - w.since >= limit * hardLimit;
    });
  }
}

const fresh = (now: number): Pick<Watched, 'silence' | 'since' | 'disconnected' | 'pinging'> => ({
  silence: 0,
  since: now,
  disconnected: undefined,
  pinging: false,
});
