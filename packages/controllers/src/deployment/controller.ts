import { type apps, deployments, isStatus, keyOf, labelSelectorOf, replicaSets, controllerOf } from '@flotilla/api';
import { describeError, done, type Outcome, retryAfter } from '@flotilla/base';
import { byController, byNamespace } from '../caches.js';
import { deleteObject, refOf } from '../common/calls.js';
import { claim } from '../common/claim.js';
import { equivalent } from '../common/equivalent.js';
import { nameOf, namespaceOf, uidOf } from '../common/objects.js';
import { applyClaims } from '../common/ownership.js';
import type { ControllerContext, RunningController } from '../context.js';
import { reconciler, running } from '../reconciler.js';
import { decideDeployment, type DeploymentPlan, type ReplicaSetUpdate } from './decide.js';
import { revisionAnnotation, templateHashLabel } from './revision.js';
import { newCondition, withCondition } from './status.js';
import { desiredReplicas } from './strategy.js';

/** Deployment → ReplicaSets: rolls a changed template out, scales, keeps the history. */
export function deploymentController(ctx: ControllerContext): RunningController {
  const { caches } = ctx;
  const recorder = ctx.recorder('deployment-controller');
  const clients = { objects: ctx.client.resource(replicaSets), owners: ctx.client.resource(deployments) };
  const queue = reconciler(ctx, 'deployment', reconcile);

  async function reconcile(key: string): Promise<Outcome> {
    const deployment = caches.deployments.get(key);
    if (!deployment) return done;
    const selector = labelSelectorOf(deployment.spec.selector);
    if (selector.isEmpty) {
      recorder.event(
        deployment,
        'Warning',
        'SelectingAll',
        'This deployment is selecting all pods. A non-empty selector is required.',
      );
      return done;
    }
    const inNamespace = caches.replicaSets.byIndex(byNamespace, namespaceOf(deployment));
    const claims = claim(inNamespace, deployment, (labels) => selector.matches(labels));
    const owned = await applyClaims(claims, deployment, clients);
    const pods = owned.flatMap((rs) => caches.pods.byIndex(byController, uidOf(rs)));
    const plan = decideDeployment({ deployment, replicaSets: owned, pods }, ctx.clock.now());
    return apply(deployment, plan);
  }

  async function apply(deployment: apps.Deployment, plan: DeploymentPlan): Promise<Outcome> {
    if (plan.create && !(await create(deployment, plan.create))) return done;
    await Promise.all([
      ...plan.update.map((update) => updateReplicaSet(deployment, update)),
      ...plan.remove.map((rs) => deleteObject(clients.objects, rs)),
    ]);
    if (plan.revision !== undefined) {
      await clients.owners.patch(refOf(deployment), {
        metadata: { uid: uidOf(deployment), annotations: { [revisionAnnotation]: plan.revision } },
      });
    }
    if (plan.status) await writeStatus(deployment, plan.status);
    return plan.checkAgainInMs === undefined ? done : retryAfter(plan.checkAgainInMs);
  }

  /** False if the deployment must be looked at anew: its hash met another template's, and has been changed. */
  async function create(deployment: apps.Deployment, replicaSet: apps.ReplicaSet): Promise<boolean> {
    try {
      await clients.objects.create(replicaSet);
      announceScale(deployment, nameOf(replicaSet), 0, desiredReplicas(replicaSet));
      return true;
    } catch (error) {
      if (isStatus(error, 'AlreadyExists')) return resolveCollision(deployment, replicaSet);
      if (!isStatus(error, 'Forbidden') || !describeError(error).includes('because it is being terminated')) {
        await reportCreateError(deployment, replicaSet, error);
      }
      throw error;
    }
  }

  /** The name is taken: by our own earlier creation that the cache does not show yet, or by another template. */
  async function resolveCollision(deployment: apps.Deployment, wanted: apps.ReplicaSet): Promise<boolean> {
    const present = await clients.objects.get(nameOf(wanted), namespaceOf(wanted));
    const ours = controllerOf(present)?.uid === uidOf(deployment);
    if (ours && equivalent(present.spec.template, wanted.spec.template)) return false;
    const collisionCount = (deployment.status.collisionCount ?? 0) + 1;
    const hash = wanted.metadata.labels?.[templateHashLabel];
    ctx.logger.info('template hash collision', { deployment: keyOf(deployment), hash, collisionCount });
    await writeStatus(deployment, { ...deployment.status, collisionCount });
    return false;
  }

  async function reportCreateError(
    deployment: apps.Deployment,
    replicaSet: apps.ReplicaSet,
    error: unknown,
  ): Promise<void> {
    const message = `Failed to create new replica set "${nameOf(replicaSet)}": ${describeError(error)}`;
    recorder.event(deployment, 'Warning', 'ReplicaSetCreateError', message);
    if (deployment.spec.progressDeadlineSeconds === undefined) return;
    const condition = newCondition('Progressing', 'False', 'ReplicaSetCreateError', message, ctx.clock.now());
    const conditions = withCondition(deployment.status.conditions ?? [], condition);
    if (equivalent(conditions, deployment.status.conditions)) return;
    await writeStatus(deployment, { ...deployment.status, conditions });
  }

  async function updateReplicaSet(deployment: apps.Deployment, { before, after }: ReplicaSetUpdate): Promise<void> {
    // With the resourceVersion that the decision was made on: a stale decision is refused and made again.
    await clients.objects.update(after);
    announceScale(deployment, nameOf(after), desiredReplicas(before), desiredReplicas(after));
  }

  function announceScale(deployment: apps.Deployment, name: string, from: number, to: number): void {
    if (from === to) return;
    const direction = to > from ? 'up' : 'down';
    recorder.event(
      deployment,
      'Normal',
      'ScalingReplicaSet',
      `Scaled ${direction} replica set ${name} from ${from} to ${to}`,
    );
  }

  async function writeStatus(deployment: apps.Deployment, status: apps.DeploymentStatus): Promise<void> {
    // A patch of the status alone, for the revision's patch above has already changed the resourceVersion. The status is
    // a function of the whole state and is written again when that changes, so the last writer (we) is right.
    await clients.owners.patch(
      refOf(deployment),
      { metadata: { uid: uidOf(deployment) }, status: cleared(deployment.status, status) },
      { subresource: 'status' },
    );
  }

  const enqueueOwner = (replicaSet: apps.ReplicaSet | undefined): void => {
    if (!replicaSet) return;
    const ref = controllerOf(replicaSet);
    if (ref) {
      if (ref.kind === 'Deployment') queue.add(`${namespaceOf(replicaSet)}/${ref.name}`);
      return;
    }
    // An orphan: whoever selects it may adopt it.
    for (const deployment of caches.deployments.byIndex(byNamespace, namespaceOf(replicaSet))) {
      if (labelSelectorOf(deployment.spec.selector).matches(replicaSet.metadata.labels ?? {}))
        queue.add(keyOf(deployment));
    }
  };
  const listeners = [
    caches.deployments.onChange((key) => queue.add(key)),
    caches.replicaSets.onChange((_key, now, before) => {
      enqueueOwner(now);
      if (!now || controllerOf(before ?? now)?.uid !== controllerOf(now)?.uid) enqueueOwner(before);
    }),
    // Recreate waits for the last old pod to go.
    caches.pods.onChange((_key, now, before) => {
      if (now || !before) return;
      const owner = controllerOf(before);
      const replicaSet = owner?.kind === 'ReplicaSet' && caches.replicaSets.get(`${namespaceOf(before)}/${owner.name}`);
      if (replicaSet) enqueueOwner(replicaSet);
    }),
  ];
  return running(queue, listeners);
}

/** `status` as a merge patch: members that were there and are no more become null. */
function cleared(before: apps.DeploymentStatus, after: apps.DeploymentStatus): Record<string, unknown> {
  const gone = Object.keys(before).filter((key) => !(key in after));
  return { ...Object.fromEntries(gone.map((key) => [key, null])), ...after };
}
