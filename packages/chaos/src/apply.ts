import { findTagged, signalProcess } from '@flotilla/host';
import type { FaultPlan, FaultRequest } from './fault.js';
import { planFault } from './fault.js';

/**
 * Signals every process of the plan and returns how many it reached. A kill looks again until nothing of the target is
 * left: a process may have forked between the look and the signal.
 */
export function applyFault(clusterDir: string, request: FaultRequest, plan: FaultPlan): number {
  if (!plan.signal) return 0;
  let reached = 0;
  let targets = plan.processes;
  for (let pass = 0; pass < 5 && targets.length > 0; pass++) {
    for (const { pid } of targets) if (signalProcess(pid, plan.signal)) reached++;
    if (plan.signal !== 'SIGKILL') break;
    const known = new Set(plan.processes.map((p) => p.pid));
    const again = planFault(request, findTagged(clusterDir), plan.hold);
    // What the supervisor started anew meanwhile (a master, say) is not a leftover: only the target's own offspring is.
    targets = 'plan' in again && request.kind === 'node' ? again.plan.processes.filter((p) => !known.has(p.pid)) : [];
  }
  return reached;
}
