import { type core, keyOf, pods } from '@flotilla/api';
import { done, type Outcome, retryAfter } from '@flotilla/base';
import { byNode } from '../caches.js';
import { deleteObject, ignoring } from '../common/calls.js';
import { equivalent } from '../common/equivalent.js';
import { isTerminating, uidOf } from '../common/objects.js';
import type { ControllerContext, RunningController } from '../context.js';
import { reconciler, running } from '../reconciler.js';
import { disruptedConditions } from './disruption.js';
import type { NodeMonitor } from './monitor.js';
import { nodeTiming } from './timing.js';
import { evictionOf } from './tolerations.js';

/** Drives pods off nodes with NoExecute taints that they do not tolerate, or no longer. */
export function taintEvictionController(ctx: ControllerContext, monitor: NodeMonitor): RunningController {
  const { caches, clock } = ctx;
  const timing = nodeTiming(ctx.config.profile);
  const recorder = ctx.recorder('taint-eviction-controller');
  const client = ctx.client.resource(pods);
  const queue = reconciler(ctx, 'taint-eviction', reconcile, 50);
  /** When each pod's stay on a tainted node began, by the monotonic clock: times in taints have whole seconds only. */
  const since = new Map<string, { uid: string; start: number }>();

  async function reconcile(key: string): Promise<Outcome> {
    const pod = caches.pods.get(key);
    if (!pod?.spec.nodeName) {
      since.delete(key);
      return done;
    }
    const lost = timing.forceDeleteOnDeadNode && monitor.isDead(pod.spec.nodeName);
    if (isTerminating(pod)) {
      since.delete(key);
      // No agent is left to stop the containers and to confirm the pod's end.
      if (lost) await deleteObject(client, pod, { gracePeriodSeconds: 0 });
      return done;
    }
    const taints = caches.nodes.get(pod.spec.nodeName)?.spec.taints ?? [];
    const eviction = evictionOf(pod.spec.tolerations, taints);
    if (eviction.when === 'never') {
      if (since.delete(key)) recorder.event(pod, 'Normal', 'TaintManagerEviction', `Cancelling deletion of Pod ${key}`);
      return done;
    }
    if (eviction.when === 'after') {
      const wait = startOf(key, pod) + eviction.ms - clock.monotonic();
      if (wait > 0) return retryAfter(wait);
    }
    await evict(key, pod, lost);
    since.delete(key);
    return done;
  }

  function startOf(key: string, pod: core.Pod): number {
    const known = since.get(key);
    if (known?.uid === uidOf(pod)) return known.start;
    const start = clock.monotonic();
    since.set(key, { uid: uidOf(pod), start });
    return start;
  }

  async function evict(key: string, pod: core.Pod, lost: boolean): Promise<void> {
    recorder.event(pod, 'Normal', 'TaintManagerEviction', `Marking for deletion Pod ${key}`);
    const why = { reason: 'DeletionByTaintManager', message: 'Taint manager: deleting due to NoExecute taint' };
    const conditions = disruptedConditions(pod, why, clock.now());
    await ignoring(['NotFound'], () => client.updateStatus({ ...pod, status: { ...pod.status, conditions } }));
    await deleteObject(client, pod, lost ? { gracePeriodSeconds: 0 } : {});
  }

  const enqueueNode = (node: string): void => {
    for (const pod of caches.pods.byIndex(byNode, node)) queue.add(keyOf(pod));
  };
  const listeners = [
    // Who is dead decides about pods that are terminating there, tainted or not.
    monitor.onVerdict(enqueueNode),
    caches.nodes.onChange((key, now, before) => {
      if (!now || !equivalent(now.spec.taints, before?.spec.taints)) enqueueNode(key);
    }),
    caches.pods.onChange((key, now, before) => {
      const node = now?.spec.nodeName ?? before?.spec.nodeName;
      // Pods of untainted nodes, which is nearly all of them nearly always, are none of our business.
      if (node && (since.has(key) || monitor.isDead(node) || hasNoExecute(caches.nodes.get(node)))) queue.add(key);
    }),
  ];
  return running(queue, listeners);
}

const hasNoExecute = (node: core.Node | undefined): boolean =>
  node?.spec.taints?.some((taint) => taint.effect === 'NoExecute') ?? false;
