import { readdirSync } from 'node:fs';
import type { Clock, Logger } from '@flotilla/base';
import { applyFault, type FaultRequest, planFault } from '@flotilla/chaos';
import { findTagged, readStat, signalProcess, type TaggedProcess } from '@flotilla/host';
import { Service, type ServiceSpec } from './service.js';

/** How long each tier has to end by itself before it is killed, milliseconds. */
const stopGrace = { agents: 6_000, rest: 3_000 };

/** Runs a cluster's processes: starts them, restarts what ends, executes faults, and stops everything. */
export class Supervisor {
  readonly #clusterDir: string;
  readonly #services: Service[];
  readonly #logger: Logger;

  constructor(clusterDir: string, specs: ServiceSpec[], deps: { clock: Clock; logger: Logger }) {
    this.#clusterDir = clusterDir;
    this.#logger = deps.logger;
    this.#services = specs.map((spec) => new Service(spec, clusterDir, deps.clock));
    for (const service of this.#services) {
      service.onChange = ({ name, state, lastExit }) =>
        this.#logger.info(`${name} is ${state}`, state === 'restarting' ? { after: lastExit } : undefined);
    }
  }

  get services(): readonly Service[] {
    return this.#services;
  }

  start(): void {
    for (const service of this.#services) service.start();
  }

  /** Executes a fault; returns a sentence on what was done, or one on why nothing was. */
  fault(request: FaultRequest): { done: string } | { refused: string } {
    const names = this.#services.map((s) => s.name);
    const decision = planFault(request, findTagged(this.#clusterDir), names);
    if ('refused' in decision) return decision;
    const { plan } = decision;
    for (const name of plan.hold) this.#service(name)?.hold();
    const reached = applyFault(this.#clusterDir, request, plan);
    for (const name of plan.release) this.#service(name)?.release();
    const what = `${request.kind}${request.name ? ` ${request.name}` : ''}`;
    this.#logger.warn(`chaos: ${request.action} ${what}`, { processes: reached });
    const past = { kill: 'killed', pause: 'paused', heal: 'healed' }[request.action];
    const processes = `${reached} process${reached === 1 ? '' : 'es'}`;
    return { done: reached > 0 || request.action !== 'heal' ? `${past} ${what} (${processes})` : `${past} ${what}` };
  }

  /** Ends all processes in order: what runs pods first, the bus last. Nothing with the cluster's tag survives. */
  async stop(): Promise<void> {
    const isAgent = (s: Service): boolean => s.name.startsWith('agent:');
    const tier = (some: Service[], grace: number): Promise<unknown> => Promise.all(some.map((s) => s.stop(grace)));
    await tier(this.#services.filter(isAgent), stopGrace.agents);
    await tier(
      this.#services.filter((s) => s.name === 'pilot' || s.name === 'master'),
      stopGrace.rest,
    );
    await tier(
      this.#services.filter((s) => s.name === 'nats'),
      stopGrace.rest,
    );
    await killStrays(this.#clusterDir);
  }

  #service(name: string): Service | undefined {
    return this.#services.find((s) => s.name === name);
  }
}

/**
 * Kills every process that carries the cluster's tag, except this one; returns how many there were. When it resolves
 * they hold nothing any more: a dying process has lost its environment, by which it is found, before its ports.
 */
export async function killStrays(clusterDir: string): Promise<number> {
  const killed = new Map<number, TaggedProcess>();
  for (let pass = 0; pass < 250; pass++) {
    const strays = findTagged(clusterDir).filter((p) => p.pid !== process.pid && p.role !== 'supervisor');
    for (const stray of strays) if (signalProcess(stray.pid, 'SIGKILL')) killed.set(stray.pid, stray);
    if (strays.length === 0 && ![...killed.values()].some(isDying)) break;
    await new Promise((next) => setTimeout(next, 20));
  }
  return killed.size;
}

/** Killed, but with files and sockets still open: until its last thread has ended, though its first be a zombie. */
function isDying({ pid, startTicks }: TaggedProcess): boolean {
  const stat = readStat(pid);
  if (stat?.startTicks !== startTicks) return false;
  if (stat.state !== 'Z' && stat.state !== 'X') return true;
  try {
    return readdirSync(`/proc/${pid}/task`).length > 1;
  } catch {
    return false; // gone meanwhile
  }
}
