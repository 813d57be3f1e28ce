import type { Clock, Logger } from '@flotilla/base';
import { applyFault, type FaultRequest, planFault } from '@flotilla/chaos';
import { findTagged, signalProcess } from '@flotilla/host';
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

/** Kills every process that carries the cluster's tag, except this one; returns how many there were. */
export async function killStrays(clusterDir: string): Promise<number> {
  let killed = 0;
  for (let pass = 0; pass < 20; pass++) {
    const strays = findTagged(clusterDir).filter((p) => p.pid !== process.pid && p.role !== 'supervisor');
    if (strays.length === 0) break;
    for (const { pid } of strays) if (signalProcess(pid, 'SIGKILL') && pass === 0) killed++;
    await new Promise((next) => setTimeout(next, 20));
  }
  return killed;
}
