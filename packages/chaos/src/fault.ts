import type { TaggedProcess } from '@flotilla/host';

export const actions = ['kill', 'pause', 'heal'] as const;
export type Action = (typeof actions)[number];
export const targetKinds = ['node', 'pod', 'container', 'proxy', 'pilot', 'master', 'nats'] as const;
export type TargetKind = (typeof targetKinds)[number];

export interface FaultRequest {
  action: Action;
  kind: TargetKind;
  /** Node name; `[namespace/]pod`; `[namespace/]pod/container` for a container; absent for pilot, master, nats. */
  name?: string;
  /** For pods named without a namespace; `default` if absent. */
  namespace?: string;
}

/** What is to be done to which processes, and which of the supervisor's services stay down or come back. */
export interface FaultPlan {
  signal?: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT';
  /** Agents first, so that none reacts to the loss of its containers before it is lost itself. */
  processes: TaggedProcess[];
  /** Supervised services (`agent:node-2`) that must not be restarted until healed. */
  hold: string[];
  /** Supervised services to start now if they are down, whatever their back-off or hold. */
  release: string[];
}

export type FaultDecision = { plan: FaultPlan } | { refused: string };

/** The container that Istio's injection calls the proxy; a gateway pod's only container has the same name. */
const proxyContainer = 'istio-proxy';

function qualified(request: FaultRequest): { pod: string; container?: string } {
  const parts = (request.name ?? '').split('/');
  const namespace = request.namespace ?? 'default';
  if (request.kind === 'container') {
    const [container, pod, ns] = parts.reverse();
    return { pod: `${ns ?? namespace}/${pod ?? ''}`, container };
  }
  const [pod, ns] = parts.reverse();
  return { pod: `${ns ?? namespace}/${pod ?? ''}`, container: request.kind === 'proxy' ? proxyContainer : undefined };
}

function matching(request: FaultRequest, processes: readonly TaggedProcess[]): TaggedProcess[] {
  switch (request.kind) {
    case 'node':
      return processes.filter((p) => p.node === request.name);
    case 'pilot':
    case 'master':
    case 'nats':
      return processes.filter((p) => p.role === request.kind);
    default: {
      const { pod, container } = qualified(request);
      return processes.filter((p) => p.pod === pod && (container === undefined || p.container === container));
    }
  }
}

const agentFirst = (a: TaggedProcess, b: TaggedProcess): number =>
  Number(b.role === 'agent') - Number(a.role === 'agent');

/**
 * What a fault does to a cluster's processes. `services` are the supervisor's service names (`nats`, `master`, `pilot`,
 * `agent:<node>`). Refuses, with a sentence for the user, what names nothing.
 */
export function planFault(
  request: FaultRequest,
  processes: readonly TaggedProcess[],
  services: readonly string[],
): FaultDecision {
  const service = request.kind === 'node' ? `agent:${request.name}` : request.kind;
  const supervised = request.kind === 'node' || services.includes(request.kind);
  if (request.kind === 'node' && !services.includes(service)) {
    const nodes = services.filter((s) => s.startsWith('agent:')).map((s) => s.slice('agent:'.length));
    return { refused: `no node "${request.name ?? ''}" in this cluster; its nodes are ${nodes.join(', ')}` };
  }
  const targets = matching(request, processes).sort(agentFirst);
  const nothing = targets.length === 0;
  if (nothing && !(request.action === 'heal' && supervised)) {
    return { refused: `no running process of ${request.kind}${request.name ? ` "${request.name}"` : ''}` };
  }
  switch (request.action) {
    case 'kill':
      return {
        plan: { signal: 'SIGKILL', processes: targets, hold: request.kind === 'node' ? [service] : [], release: [] },
      };
    case 'pause':
      return { plan: { signal: 'SIGSTOP', processes: targets, hold: [], release: [] } };
    case 'heal':
      // A process that was paused goes on where it stood; a service that is down is started.
      return {
        plan: {
          signal: nothing ? undefined : 'SIGCONT',
          processes: targets.filter((p) => p.state === 'T'),
          hold: [],
          release: supervised ? [service] : [],
        },
      };
  }
}
