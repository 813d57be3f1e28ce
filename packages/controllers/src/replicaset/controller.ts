import {
  type apps,
  type core,
  isStatus,
  keyOf,
  labelSelectorOf,
  pods,
  replicaSets,
  controllerOf,
  controllerRef,
  isPodTerminal,
} from '@flotilla/api';
import { describeError, done, type Outcome, retryAfter } from '@flotilla/base';
import { byController, byNamespace } from '../caches.js';
import { slowStart } from '../common/batch.js';
import { deleteObject } from '../common/calls.js';
import { claim } from '../common/claim.js';
import { Expectations } from '../common/expectations.js';
import { isTerminating, nameOf, namespaceOf, uidOf } from '../common/objects.js';
import { applyClaims } from '../common/ownership.js';
import type { ControllerContext, RunningController } from '../context.js';
import { reconciler, running } from '../reconciler.js';
import { decideReplicaSet, decideReplicaSetStatus, type ReplicaSetFailure, type ReplicaSetState } from './decide.js';

/** ReplicaSet → Pods: keeps the asked number of pods of a template alive. */
export function replicaSetController(ctx: ControllerContext): RunningController {
  const { caches } = ctx;
  const recorder = ctx.recorder('replicaset-controller');
  const clients = { objects: ctx.client.resource(pods), owners: ctx.client.resource(replicaSets) };
  const expectations = new Expectations(ctx.clock);
  const queue = reconciler(ctx, 'replicaset', reconcile, 10);

  async function reconcile(key: string): Promise<Outcome> {
    const replicaSet = caches.replicaSets.get(key);
    if (!replicaSet) {
      expectations.forget(key);
      return done;
    }
    const cacheIsFresh = expectations.satisfied(key);
    const selector = labelSelectorOf(replicaSet.spec.selector);
    const inNamespace = caches.pods.byIndex(byNamespace, namespaceOf(replicaSet));
    const claims = claim(inNamespace, replicaSet, (labels) => selector.matches(labels));
    claims.adopt = claims.adopt.filter((pod) => !isPodTerminal(pod));
    const owned = await applyClaims(claims, replicaSet, clients);
    const state: ReplicaSetState = { replicaSet, pods: owned, related: relatedPods(replicaSet), cacheIsFresh };
    const plan = decideReplicaSet(state, ctx.clock.now());
    const failure =
      plan.create > 0 ? await createPods(replicaSet, plan.create) : await removePods(replicaSet, plan.remove);
    // Before any failure is thrown on, it is written down in the status.
    const { status, checkAgainInMs } = decideReplicaSetStatus(state, failure?.condition, ctx.clock.now());
    if (status) await clients.owners.updateStatus({ ...replicaSet, status });
    if (failure) throw failure.error;
    return checkAgainInMs === undefined ? done : retryAfter(checkAgainInMs);
  }

  /** The pods of all replica sets of the same deployment. */
  function relatedPods(replicaSet: apps.ReplicaSet): core.Pod[] {
    const owner = controllerOf(replicaSet);
    const siblings = owner ? caches.replicaSets.byIndex(byController, owner.uid) : [replicaSet];
    return siblings.flatMap((rs) => caches.pods.byIndex(byController, uidOf(rs)));
  }

  async function createPods(replicaSet: apps.ReplicaSet, count: number): Promise<Failed | undefined> {
    const key = keyOf(replicaSet);
    expectations.expectCreations(key, count);
    const { called, errors } = await slowStart(count, async () => {
      try {
        const pod = await clients.objects.create(podOf(replicaSet));
        recorder.event(replicaSet, 'Normal', 'SuccessfulCreate', `Created pod: ${nameOf(pod)}`);
      } catch (error) {
        expectations.creationObserved(key);
        if (!isStatus(error, 'Forbidden') || !describeError(error).includes('because it is being terminated')) {
          recorder.event(replicaSet, 'Warning', 'FailedCreate', `Error creating: ${describeError(error)}`);
        }
        throw error;
      }
    });
    for (let skipped = called; skipped < count; skipped++) expectations.creationObserved(key);
    return failed('FailedCreate', errors);
  }

  async function removePods(replicaSet: apps.ReplicaSet, doomed: readonly core.Pod[]): Promise<Failed | undefined> {
    if (doomed.length === 0) return undefined;
    const key = keyOf(replicaSet);
    expectations.expectDeletions(key, doomed.map(uidOf));
    const results = await Promise.allSettled(
      doomed.map(async (pod) => {
        try {
          await deleteObject(clients.objects, pod);
          recorder.event(replicaSet, 'Normal', 'SuccessfulDelete', `Deleted pod: ${nameOf(pod)}`);
        } catch (error) {
          expectations.deletionObserved(key, uidOf(pod));
          recorder.event(replicaSet, 'Warning', 'FailedDelete', `Error deleting: ${describeError(error)}`);
          throw error;
        }
      }),
    );
    return failed(
      'FailedDelete',
      results.flatMap((r) => (r.status === 'rejected' ? [r.reason as unknown] : [])),
    );
  }

  const enqueueOwner = (pod: core.Pod): apps.ReplicaSet | undefined => {
    const ref = controllerOf(pod);
    const owner = ref?.kind === 'ReplicaSet' ? caches.replicaSets.get(`${namespaceOf(pod)}/${ref.name}`) : undefined;
    if (!owner || uidOf(owner) !== ref?.uid) return undefined;
    queue.add(keyOf(owner));
    return owner;
  };
  const enqueueAdopters = (pod: core.Pod): void => {
    for (const replicaSet of caches.replicaSets.byIndex(byNamespace, namespaceOf(pod))) {
      if (labelSelectorOf(replicaSet.spec.selector).matches(pod.metadata.labels ?? {})) queue.add(keyOf(replicaSet));
    }
  };

  function podChanged(now: core.Pod | undefined, before: core.Pod | undefined): void {
    const key = (pod: core.Pod): string => `${namespaceOf(pod)}/${controllerOf(pod)?.name}`;
    if (before && (!now || uidOf(now) !== uidOf(before))) {
      if (controllerOf(before)) expectations.deletionObserved(key(before), uidOf(before));
      enqueueOwner(before);
    }
    if (!now) return;
    const isNew = !before || uidOf(now) !== uidOf(before);
    if (controllerOf(now)) {
      if (isNew) expectations.creationObserved(key(now));
      // A graceful deletion ends the pod's membership at once, not when the last container has stopped.
      if (isTerminating(now)) expectations.deletionObserved(key(now), uidOf(now));
      enqueueOwner(now);
    } else if (isNew || before?.metadata.labels !== now.metadata.labels || controllerOf(before)) {
      enqueueAdopters(now);
    }
    if (before && !isNew && controllerOf(before)?.uid !== controllerOf(now)?.uid) enqueueOwner(before);
  }

  const listeners = [
    caches.replicaSets.onChange((key, now, before) => {
      if (before && (!now || uidOf(now) !== uidOf(before))) expectations.forget(key);
      queue.add(key);
    }),
    caches.pods.onChange((_key, now, before) => podChanged(now, before)),
  ];
  return running(queue, listeners);
}

interface Failed {
  condition: ReplicaSetFailure;
  error: unknown;
}

function failed(reason: ReplicaSetFailure['reason'], errors: readonly unknown[]): Failed | undefined {
  if (errors.length === 0) return undefined;
  return { condition: { reason, message: describeError(errors[0]) }, error: errors[0] };
}

/** A pod of the replica set's template, as upstream names and labels it. */
function podOf(replicaSet: apps.ReplicaSet): core.Pod {
  const { template } = replicaSet.spec;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      generateName: `${nameOf(replicaSet)}-`,
      namespace: namespaceOf(replicaSet),
      labels: { ...template.metadata?.labels },
      ...(template.metadata?.annotations ? { annotations: { ...template.metadata.annotations } } : {}),
      ...(template.metadata?.finalizers ? { finalizers: [...template.metadata.finalizers] } : {}),
      ownerReferences: [controllerRef(replicaSet, replicaSets)],
    },
    spec: template.spec ?? { containers: [] },
    status: {},
  };
}
