import { type core, type KubeObject, persistentVolumeClaims, persistentVolumes, isPodTerminal } from '@flotilla/api';
import { done, type Outcome } from '@flotilla/base';
import type { ResourceClient } from '@flotilla/client';
import { byClaim } from '../caches.js';
import { ignoring, refOf } from '../common/calls.js';
import { isTerminating, uidOf } from '../common/objects.js';
import type { ControllerContext, RunningController } from '../context.js';
import { reconciler, running } from '../reconciler.js';

export const claimFinalizer = 'kubernetes.io/pvc-protection';
export const volumeFinalizer = 'kubernetes.io/pv-protection';

/**
 * The finalizers that an object should have, or undefined if it has: the finalizer while it lives, and while it
 * terminates but is in use.
 */
export function decideProtection(object: KubeObject, finalizer: string, inUse: boolean): string[] | undefined {
  const present = object.metadata.finalizers ?? [];
  const protectedNow = present.includes(finalizer);
  if (!isTerminating(object)) return protectedNow ? undefined : [...present, finalizer];
  return protectedNow && !inUse ? present.filter((f) => f !== finalizer) : undefined;
}

/** A pod that has a node and has not ended uses its claims. */
export const usesClaims = (pod: core.Pod): boolean => Boolean(pod.spec.nodeName) && !isPodTerminal(pod);

/** A claim is not removed while a pod uses it. */
export function claimProtectionController(ctx: ControllerContext): RunningController {
  const { caches } = ctx;
  const client = ctx.client.resource(persistentVolumeClaims);
  const queue = reconciler(ctx, 'pvc-protection', reconcile);

  async function reconcile(key: string): Promise<Outcome> {
    const claim = caches.persistentVolumeClaims.get(key);
    if (!claim) return done;
    const finalizers = decideProtection(claim, claimFinalizer, caches.pods.byIndex(byClaim, key).some(usesClaims));
    if (finalizers) await setFinalizers(client, claim, finalizers);
    return done;
  }

  const listeners = [
    caches.persistentVolumeClaims.onChange((key, now) => now && queue.add(key)),
    caches.pods.onChange((_key, now, before) => {
      if (!before || (now && usesClaims(now))) return;
      for (const volume of before.spec.volumes ?? []) {
        const name = volume.persistentVolumeClaim?.claimName;
        if (name) queue.add(`${before.metadata.namespace}/${name}`);
      }
    }),
  ];
  return running(queue, listeners);
}

/** A volume is not removed while it is bound. */
export function volumeProtectionController(ctx: ControllerContext): RunningController {
  const { caches } = ctx;
  const client = ctx.client.resource(persistentVolumes);
  const queue = reconciler(ctx, 'pv-protection', reconcile);

  async function reconcile(name: string): Promise<Outcome> {
    const volume = caches.persistentVolumes.get(name);
    if (!volume) return done;
    const finalizers = decideProtection(volume, volumeFinalizer, volume.status.phase === 'Bound');
    if (finalizers) await setFinalizers(client, volume, finalizers);
    return done;
  }

  const listeners = [caches.persistentVolumes.onChange((key, now) => now && queue.add(key))];
  return running(queue, listeners);
}

async function setFinalizers<T extends KubeObject>(
  client: ResourceClient<T>,
  object: T,
  finalizers: string[],
): Promise<void> {
  const { resourceVersion } = object.metadata;
  await ignoring(['NotFound'], () =>
    client.patch(refOf(object), { metadata: { uid: uidOf(object), resourceVersion, finalizers } }),
  );
}
