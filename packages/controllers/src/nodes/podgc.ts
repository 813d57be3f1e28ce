import { type core, keyOf, nodes, pods, isPodTerminal } from '@flotilla/api';
import { done, type Outcome, retryAfter } from '@flotilla/base';
import { byNode } from '../caches.js';
import { deleteObject, ignoring } from '../common/calls.js';
import { byCreation, isTerminating, nameOf } from '../common/objects.js';
import type { ControllerContext, RunningController } from '../context.js';
import { reconciler, running } from '../reconciler.js';
import { disruptedConditions } from './disruption.js';
import { nodeTiming } from './timing.js';

/** --terminated-pod-gc-threshold. */
const terminatedThreshold = 12_500;
/** The queue's key for the count of ended pods; no pod is called that, for it has no slash. */
const terminatedKey = 'terminated';
const terminatedIntervalMs = 20_000;

/** The oldest ended pods beyond the threshold. */
export function surplusEndedPods(all: readonly core.Pod[], threshold: number): core.Pod[] {
  const ended = all.filter((pod) => isPodTerminal(pod) && !isTerminating(pod));
  if (ended.length <= threshold) return [];
  return ended.sort(byCreation).slice(0, ended.length - threshold);
}

/** Removes pods that nobody else will: of nodes that are gone, terminating before they had a node, ended long ago. */
export function podGarbageController(ctx: ControllerContext): RunningController {
  const { caches, clock } = ctx;
  const timing = nodeTiming(ctx.config.profile);
  const client = ctx.client.resource(pods);
  const queue = reconciler(ctx, 'podgc', reconcile, 20);
  const missingSince = new Map<string, number>();

  async function reconcile(key: string): Promise<Outcome> {
    if (key === terminatedKey) {
      const surplus = surplusEndedPods(caches.pods.list(), terminatedThreshold);
      await Promise.all(surplus.map((pod) => deleteObject(client, pod, { gracePeriodSeconds: 0 })));
      return retryAfter(terminatedIntervalMs);
    }
    const pod = caches.pods.get(key);
    if (!pod) return done;
    const node = pod.spec.nodeName;
    if (!node) {
      if (isTerminating(pod)) await deleteObject(client, pod, { gracePeriodSeconds: 0 });
      return done;
    }
    if (caches.nodes.get(node)) {
      missingSince.delete(node);
      return done;
    }
    const since = missingSince.get(node) ?? clock.monotonic();
    missingSince.set(node, since);
    const wait = since + timing.orphanQuarantine - clock.monotonic();
    if (wait > 0) return retryAfter(wait);
    // The cache may be behind a node that has just come back.
    if (await ignoring(['NotFound'], () => ctx.client.resource(nodes).get(node)))
      return retryAfter(timing.orphanQuarantine);
    await removeOrphan(pod);
    return done;
  }

  async function removeOrphan(pod: core.Pod): Promise<void> {
    const why = { reason: 'DeletionByPodGC', message: 'PodGC: node no longer exists' };
    const conditions = disruptedConditions(pod, why, clock.now());
    const phase = isPodTerminal(pod) ? pod.status.phase : 'Failed';
    const status: core.PodStatus = { ...pod.status, conditions, ...(phase ? { phase } : {}) };
    await ignoring(['NotFound'], () => client.updateStatus({ ...pod, status }));
    await deleteObject(client, pod, { gracePeriodSeconds: 0 });
  }

  const check = (pod: core.Pod): void => {
    const node = pod.spec.nodeName;
    if (node ? !caches.nodes.get(node) : isTerminating(pod)) queue.add(keyOf(pod));
  };
  const listeners = [
    caches.pods.onChange((_key, now) => now && check(now)),
    caches.nodes.onChange((_key, now, before) => {
      const node = now ?? before;
      if (!node || Boolean(now) === Boolean(before)) return;
      missingSince.delete(nameOf(node));
      for (const pod of caches.pods.byIndex(byNode, nameOf(node))) queue.add(keyOf(pod));
    }),
  ];
  queue.add(terminatedKey);
  return running(queue, listeners);
}
