import { type core, nodes, pods } from '@flotilla/api';
import { describeError, done, type Outcome, retryAfter } from '@flotilla/base';
import { byNode } from '../caches.js';
import { ignoring, refOf } from '../common/calls.js';
import { isTerminating, nameOf, uidOf } from '../common/objects.js';
import type { ControllerContext, RunningController } from '../context.js';
import { reconciler, running } from '../reconciler.js';
import {
  decideNode,
  isNodeReady,
  type NodePlan,
  notReady,
  notReadyConditions,
  readyStatus,
  unreachable,
} from './decide.js';
import type { NodeMonitor } from './monitor.js';
import { type NodeTiming, nodeTiming } from './timing.js';

/** Nodes: from what the monitor hears to conditions and taints; pods of a lost node to "not ready". */
export function nodeLifecycleController(ctx: ControllerContext, monitor: NodeMonitor): RunningController {
  const { caches, clock } = ctx;
  const timing = nodeTiming(ctx.config.profile);
  const recorder = ctx.recorder('node-controller');
  const logger = ctx.logger.with({ controller: 'nodelifecycle' });
  const clients = { nodes: ctx.client.resource(nodes), pods: ctx.client.resource(pods) };
  const queue = reconciler(ctx, 'nodelifecycle', reconcile, 20);
  const evictions = new EvictionRate(timing);

  async function reconcile(name: string): Promise<Outcome> {
    const node = caches.nodes.get(name);
    if (!node) return done;
    const dead = monitor.isDead(name);
    const someReady = caches.nodes.list().some((n) => isNodeReady(n) && !monitor.isDead(nameOf(n)));
    const mayEvict = someReady && evictions.allowed(clock.monotonic());
    const plan = decideNode({ node, dead, mayEvict }, clock.now());
    const becameUnknown = plan.conditions !== undefined;
    await Promise.all([apply(node, plan), markPodsNotReady(node, becameUnknown)]);
    if (mayEvict && addsEviction(node, plan)) evictions.used(clock.monotonic());
    return plan.evictionDue && someReady ? retryAfter(timing.evictionInterval ?? timing.tick) : done;
  }

  async function apply(node: core.Node, plan: NodePlan): Promise<void> {
    let latest = node;
    if (plan.conditions) {
      latest = await clients.nodes.updateStatus({ ...node, status: { ...node.status, conditions: plan.conditions } });
      if (isNodeReady(node)) {
        logger.info('node is not ready', { node: nameOf(node) });
        recorder.event(node, 'Normal', 'NodeNotReady', `Node ${nameOf(node)} status is now: NodeNotReady`);
      }
    }
    if (!plan.taints) return;
    // Conditions and taints were decided on the same version of the node; the status update has given it a new one.
    await clients.nodes.patch(refOf(node), {
      metadata: { uid: uidOf(node), resourceVersion: latest.metadata.resourceVersion },
      spec: { taints: plan.taints },
    });
  }

  /** At once, so that endpoint slices drop the pods long before they are evicted. */
  async function markPodsNotReady(node: core.Node, becameUnknown: boolean): Promise<void> {
    if (!becameUnknown && readyStatus(node) !== 'Unknown') return;
    await Promise.all(
      caches.pods.byIndex(byNode, nameOf(node)).map(async (pod) => {
        const conditions = notReadyConditions(pod, clock.now());
        if (!conditions) return;
        await ignoring(['NotFound'], () =>
          clients.pods.updateStatus({ ...pod, status: { ...pod.status, conditions } }),
        );
        recorder.event(pod, 'Warning', 'NodeNotReady', 'Node is not ready');
      }),
    );
  }

  function nodeChanged(now: core.Node | undefined, before: core.Node | undefined): void {
    const node = now ?? before;
    if (!node) return;
    const name = nameOf(node);
    if (!now) {
      monitor.remove(name);
      recorder.event(node, 'Normal', 'RemovingNode', `Node ${name} event: Removing Node ${name} from Controller`);
    } else if (!before) {
      register(now);
    }
    queue.add(name);
    // Whether anybody is ready decides about the evictions of all.
    const flipped = Boolean(now && isNodeReady(now)) !== Boolean(before && isNodeReady(before));
    if (flipped) for (const other of caches.nodes.list()) queue.add(nameOf(other));
  }

  function register(node: core.Node): void {
    const name = nameOf(node);
    monitor.add(name, clock.monotonic());
    recorder.event(node, 'Normal', 'RegisteredNode', `Node ${name} event: Registered Node ${name} in Controller`);
  }

  const listeners = [
    caches.nodes.onChange((_key, now, before) => nodeChanged(now, before)),
    // The last words of a dying agent may say "ready" after we have said otherwise.
    caches.pods.onChange((_key, now) => {
      const node = now?.spec.nodeName;
      if (node && !isTerminating(now) && monitor.isDead(node)) queue.add(node);
    }),
    monitor.onVerdict((node) => {
      logger.info(monitor.isDead(node) ? 'node is gone' : 'node is back', { node });
      queue.add(node);
    }),
    watchLiveness(ctx, monitor, timing),
  ];
  logger.debug('monitoring nodes', { silenceMs: timing.silence, reconnectMs: timing.reconnect });
  return running(queue, listeners);
}

function addsEviction(node: core.Node, plan: NodePlan): boolean {
  const evicts = (taints: readonly core.Taint[] | undefined): boolean =>
    taints?.some((t) => t.effect === 'NoExecute' && (t.key === unreachable || t.key === notReady)) ?? false;
  return evicts(plan.taints) && !evicts(node.spec.taints);
}

/** At most one node an interval gets the taint that drives pods off, as upstream's node-eviction-rate. */
class EvictionRate {
  readonly #interval: number;
  #last = Number.NEGATIVE_INFINITY;

  constructor(timing: NodeTiming) {
    this.#interval = timing.evictionInterval ?? 0;
  }

  allowed(now: number): boolean {
    return now - this.#last >= this.#interval;
  }

  used(now: number): void {
    this.#last = now;
  }
}

/** Feeds the monitor. Returns the way to stop. */
function watchLiveness(ctx: ControllerContext, monitor: NodeMonitor, timing: NodeTiming): () => void {
  const { clock, liveness } = ctx;
  let stopped = false;

  async function ping(node: string, timeoutMs: number): Promise<void> {
    const result = await liveness.ping(node, timeoutMs).catch((error: unknown) => {
      ctx.logger.debug('ping failed', { node, error: describeError(error) });
      return 'unknown' as const;
    });
    if (!stopped) monitor.pinged(node, result, clock.monotonic());
  }
  function tick(): void {
    if (stopped) return;
    timer = clock.after(timing.tick, tick);
    for (const request of monitor.tick(clock.monotonic(), () => ctx.cpuPressure.read())) {
      void ping(request.node, request.timeoutMs);
    }
  }
  const stopHeartbeats = liveness.onHeartbeat((node) => monitor.heartbeat(node, clock.monotonic()));
  const stopConnections = liveness.onConnection((node, event) => {
    if (event === 'connected') monitor.connected(node, clock.monotonic());
    else monitor.disconnected(node);
  });
  let timer = clock.after(timing.tick, tick);
  return () => {
    stopped = true;
    timer.cancel();
    stopHeartbeats();
    stopConnections();
  };
}
