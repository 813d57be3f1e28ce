import { type apps, type core, controllerOf, isPodTerminal } from '@flotilla/api';
import { equivalent } from '../common/equivalent.js';
import { isTerminating, nameOf, timeOf, uidOf } from '../common/objects.js';
import {
  findNewReplicaSet,
  maxRevision,
  newReplicaSet,
  replicasAnnotations,
  revisionAnnotation,
  revisionOf,
  syncedAnnotations,
} from './revision.js';
import { rollingStep, type Sizes, surgedSize } from './rolling.js';
import { isScalingEvent, scaleSizes } from './scale.js';
import {
  countedStatus,
  findCondition,
  isComplete,
  judgeProgress,
  newCondition,
  progressDeadlineMs,
  replicaFailure,
  specReplicas,
  withCondition,
} from './status.js';
import { desiredReplicas, isRollingUpdate } from './strategy.js';

export interface DeploymentState {
  deployment: apps.Deployment;
  /** Those it controls. */
  replicaSets: readonly apps.ReplicaSet[];
  /** The pods of those. */
  pods: readonly core.Pod[];
}

export interface ReplicaSetUpdate {
  before: apps.ReplicaSet;
  after: apps.ReplicaSet;
}

export interface DeploymentPlan {
  create?: apps.ReplicaSet;
  update: ReplicaSetUpdate[];
  /** Beyond the history limit. */
  remove: apps.ReplicaSet[];
  /** The revision annotation of the deployment, if it must change. */
  revision?: string;
  /** Undefined when the status is as it should be. */
  status?: apps.DeploymentStatus;
  /** Look again then, for the progress deadline. */
  checkAgainInMs?: number;
}

interface Draft {
  current: apps.ReplicaSet | undefined;
  create: boolean;
  sizes: Sizes;
  conditions: apps.DeploymentCondition[];
  rollout: boolean;
}

/** What to do next for a deployment. Called again whenever anything it looks at has changed. */
export function decideDeployment(state: DeploymentState, now: number): DeploymentPlan {
  const { deployment, replicaSets } = state;
  const conditions = pausedConditions(deployment, now);
  const found = findNewReplicaSet(deployment, replicaSets);
  const old = replicaSets.filter((rs) => rs !== found);
  const revision = maxRevision(old) + 1;
  const draft: Draft = { current: found, create: false, sizes: new Map(), conditions, rollout: true };

  if (isTerminating(deployment)) {
    return finish(state, { ...draft, rollout: false }, old, revision, now);
  }
  if (deployment.spec.paused || isScalingEvent(deployment, replicaSets)) {
    draft.rollout = false;
    draft.sizes = scaleSizes(deployment, found, old);
  } else if (isRollingUpdate(deployment)) {
    planRolling(deployment, draft, old, revision);
  } else {
    planRecreate(state, draft, old, revision);
  }
  noteNewReplicaSet(deployment, draft, found, now);
  return finish(state, draft, old, revision, now);
}

function planRolling(deployment: apps.Deployment, draft: Draft, old: apps.ReplicaSet[], revision: number): void {
  if (!draft.current) {
    draft.current = newReplicaSet(deployment, revision, surgedSize(deployment, specReplicas(old), 0));
    draft.create = true;
    return;
  }
  draft.sizes = rollingStep(deployment, draft.current, old);
}

/** Recreate: the old pods must be gone, not just terminating, before the first new one starts. */
function planRecreate(state: DeploymentState, draft: Draft, old: apps.ReplicaSet[], revision: number): void {
  const active = old.filter((rs) => desiredReplicas(rs) > 0);
  if (active.length > 0) {
    draft.sizes = new Map(active.map((rs) => [rs, 0]));
    return;
  }
  if (oldPodsRun(state, draft.current, old)) return;
  const desired = desiredReplicas(state.deployment);
  if (!draft.current) {
    draft.current = newReplicaSet(state.deployment, revision, desired);
    draft.create = true;
  } else if (desiredReplicas(draft.current) !== desired) {
    draft.sizes = new Map([[draft.current, desired]]);
  }
}

function oldPodsRun(state: DeploymentState, current: apps.ReplicaSet | undefined, old: apps.ReplicaSet[]): boolean {
  if (old.some((rs) => rs.status.replicas > 0)) return true;
  return state.pods.some((pod) => {
    if (current && controllerOf(pod)?.uid === uidOf(current)) return false;
    return !isPodTerminal(pod);
  });
}

/** Pausing stops the progress clock and resuming restarts it; a lack of progress already reported stays. */
function pausedConditions(deployment: apps.Deployment, now: number): apps.DeploymentCondition[] {
  const conditions = deployment.status.conditions ?? [];
  if (progressDeadlineMs(deployment) === undefined || isTerminating(deployment)) return [...conditions];
  const present = findCondition(conditions, 'Progressing');
  if (present?.reason === 'ProgressDeadlineExceeded') return [...conditions];
  const saysPaused = present?.reason === 'DeploymentPaused';
  if (deployment.spec.paused && !saysPaused) {
    return withCondition(
      conditions,
      newCondition('Progressing', 'Unknown', 'DeploymentPaused', 'Deployment is paused', now),
    );
  }
  if (!deployment.spec.paused && saysPaused) {
    return withCondition(
      conditions,
      newCondition('Progressing', 'Unknown', 'DeploymentResumed', 'Deployment is resumed', now),
    );
  }
  return [...conditions];
}

function noteNewReplicaSet(
  deployment: apps.Deployment,
  draft: Draft,
  found: apps.ReplicaSet | undefined,
  now: number,
): void {
  if (progressDeadlineMs(deployment) === undefined || !draft.current) return;
  const name = nameOf(draft.current);
  if (draft.create) {
    draft.conditions = withCondition(
      draft.conditions,
      newCondition('Progressing', 'True', 'NewReplicaSetCreated', `Created new replica set "${name}"`, now),
    );
  } else if (found && !findCondition(draft.conditions, 'Progressing')) {
    draft.conditions = withCondition(
      draft.conditions,
      newCondition('Progressing', 'True', 'FoundNewReplicaSet', `Found new replica set "${name}"`, now),
    );
  }
}

function finish(
  state: DeploymentState,
  draft: Draft,
  old: apps.ReplicaSet[],
  revision: number,
  now: number,
): DeploymentPlan {
  const { deployment } = state;
  const terminating = isTerminating(deployment);
  const updates = terminating ? [] : plannedUpdates(deployment, draft, old, revision);
  const planned = (rs: apps.ReplicaSet): apps.ReplicaSet => updates.find((u) => u.before === rs)?.after ?? rs;
  const current = draft.current && planned(draft.current);
  const all = [...old.map(planned), ...(current ? [current] : [])];

  const status = countedStatus(deployment, all, current, draft.conditions, now);
  if (draft.rollout) {
    status.conditions = judgeProgress(deployment, status, current, now);
    status.conditions = replicaFailure(status.conditions, all, current);
  }
  const quiet = draft.sizes.size === 0 && !draft.create;
  const cleanup =
    !terminating && quiet && (!draft.rollout || isRollingUpdate(deployment) || isComplete(deployment, status));
  const wanted = current && String(Math.max(revisionOf(current), revision));
  const checkAgainInMs = deadlineCheck(deployment, status, now);
  return {
    ...(draft.create && current ? { create: current } : {}),
    update: updates,
    remove: cleanup ? beyondHistory(deployment, old) : [],
    ...(!terminating && wanted && deployment.metadata.annotations?.[revisionAnnotation] !== wanted
      ? { revision: wanted }
      : {}),
    ...(equivalent(status, { ...deployment.status, ...absentCounts(deployment.status) }) ? {} : { status }),
    ...(checkAgainInMs === undefined ? {} : { checkAgainInMs }),
  };
}

/** Zero counts are not written by Go's encoder (omitempty); read them back as zero. */
function absentCounts(status: apps.DeploymentStatus): Partial<apps.DeploymentStatus> {
  return {
    observedGeneration: status.observedGeneration ?? 0,
    replicas: status.replicas ?? 0,
    updatedReplicas: status.updatedReplicas ?? 0,
    readyReplicas: status.readyReplicas ?? 0,
    availableReplicas: status.availableReplicas ?? 0,
    unavailableReplicas: status.unavailableReplicas ?? 0,
    terminatingReplicas: status.terminatingReplicas ?? 0,
  };
}

function plannedUpdates(
  deployment: apps.Deployment,
  draft: Draft,
  old: apps.ReplicaSet[],
  revision: number,
): ReplicaSetUpdate[] {
  const candidates = [...old, ...(draft.current && !draft.create ? [draft.current] : [])];
  return candidates.flatMap((before) => {
    const isCurrent = before === draft.current;
    const size = draft.sizes.get(before);
    const annotations = {
      ...(isCurrent ? syncedAnnotations(deployment, before, revision) : before.metadata.annotations),
      // A scaling is over only when every active replica set carries the new desired number.
      ...(size !== undefined || (!draft.rollout && desiredReplicas(before) > 0) ? replicasAnnotations(deployment) : {}),
    };
    const spec = {
      ...before.spec,
      ...(size === undefined ? {} : { replicas: size }),
      ...(isCurrent ? { minReadySeconds: deployment.spec.minReadySeconds ?? 0 } : {}),
    };
    const same =
      equivalent(annotations, before.metadata.annotations) &&
      spec.replicas === before.spec.replicas &&
      (spec.minReadySeconds ?? 0) === (before.spec.minReadySeconds ?? 0);
    if (same) return [];
    return [{ before, after: { ...before, metadata: { ...before.metadata, annotations }, spec } }];
  });
}

/** Old replica sets without pods, beyond revisionHistoryLimit: the lowest revisions. */
function beyondHistory(deployment: apps.Deployment, old: readonly apps.ReplicaSet[]): apps.ReplicaSet[] {
  const limit = deployment.spec.revisionHistoryLimit ?? 10;
  if (limit === 2147483647) return [];
  const alive = old.filter((rs) => !isTerminating(rs)).sort((a, b) => revisionOf(a) - revisionOf(b));
  return alive
    .slice(0, Math.max(0, alive.length - limit))
    .filter(
      (rs) =>
        rs.status.replicas === 0 &&
        desiredReplicas(rs) === 0 &&
        (rs.metadata.generation ?? 0) <= (rs.status.observedGeneration ?? 0),
    );
}

function deadlineCheck(deployment: apps.Deployment, status: apps.DeploymentStatus, now: number): number | undefined {
  const deadline = progressDeadlineMs(deployment);
  const condition = findCondition(status.conditions, 'Progressing');
  if (deadline === undefined || !condition || deployment.spec.paused) return undefined;
  // A roll-out that has succeeded, or has timed out, is not judged again.
  const judged = condition.reason === 'ProgressDeadlineExceeded' || condition.reason === 'NewReplicaSetAvailable';
  if (judged || isComplete(deployment, status)) return undefined;
  // Times on the wire have whole seconds; a second more makes sure that the deadline has passed by then.
  return Math.max(1000, timeOf(condition.lastUpdateTime) + deadline - now + 1000);
}
