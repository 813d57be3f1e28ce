import { type apps, type core, controllerRef, deployments } from '@flotilla/api';
import { safeEncode } from '@flotilla/base';
import { canonicalJson, equivalent, fnv1a } from '../common/equivalent.js';
import { byCreation, nameOf, namespaceOf } from '../common/objects.js';
import { desiredReplicas, maxSurge } from './strategy.js';

export const revisionAnnotation = 'deployment.kubernetes.io/revision';
export const revisionHistoryAnnotation = 'deployment.kubernetes.io/revision-history';
export const desiredReplicasAnnotation = 'deployment.kubernetes.io/desired-replicas';
export const maxReplicasAnnotation = 'deployment.kubernetes.io/max-replicas';
export const templateHashLabel = 'pod-template-hash';

/** Annotations of a deployment that are about the deployment itself and must not be copied to its replica sets. */
const notCopied = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  'deprecated.deployment.rollback.to',
  revisionAnnotation,
  revisionHistoryAnnotation,
  desiredReplicasAnnotation,
  maxReplicasAnnotation,
]);

export const revisionOf = (replicaSet: apps.ReplicaSet): number =>
  Number.parseInt(replicaSet.metadata.annotations?.[revisionAnnotation] ?? '0', 10) || 0;

export const maxRevision = (replicaSets: readonly apps.ReplicaSet[]): number =>
  replicaSets.reduce((max, rs) => Math.max(max, revisionOf(rs)), 0);

function withoutHash(template: core.PodTemplateSpec | undefined): unknown {
  const { [templateHashLabel]: _, ...labels } = template?.metadata?.labels ?? {};
  return { ...template, metadata: { ...template?.metadata, labels } };
}

/** The replica set whose template is the deployment's, hash label aside; the oldest if several are. */
export function findNewReplicaSet(
  deployment: apps.Deployment,
  replicaSets: readonly apps.ReplicaSet[],
): apps.ReplicaSet | undefined {
  const wanted = withoutHash(deployment.spec.template);
  return [...replicaSets].sort(byCreation).find((rs) => equivalent(withoutHash(rs.spec.template), wanted));
}

/** A stable hash of the template; `collisionCount` gives another one after two templates met in the same hash. */
export function templateHash(template: core.PodTemplateSpec, collisionCount: number | undefined): string {
  const text = canonicalJson(template) + (collisionCount === undefined ? '' : `#${collisionCount}`);
  return safeEncode(String(fnv1a(text)));
}

/** The annotations that size a replica set's share in a proportional scaling. */
export function replicasAnnotations(deployment: apps.Deployment): Record<string, string> {
  const desired = desiredReplicas(deployment);
  return {
    [desiredReplicasAnnotation]: String(desired),
    [maxReplicasAnnotation]: String(desired + maxSurge(deployment)),
  };
}

function copiedAnnotations(deployment: apps.Deployment): Record<string, string> {
  return Object.fromEntries(
    Object.entries(deployment.metadata.annotations ?? {}).filter(([key]) => !notCopied.has(key)),
  );
}

/** The replica set of the deployment's present template, with `replicas` pods. */
export function newReplicaSet(deployment: apps.Deployment, revision: number, replicas: number): apps.ReplicaSet {
  const hash = templateHash(deployment.spec.template, deployment.status.collisionCount);
  const template: core.PodTemplateSpec = {
    ...deployment.spec.template,
    metadata: {
      ...deployment.spec.template.metadata,
      labels: { ...deployment.spec.template.metadata?.labels, [templateHashLabel]: hash },
    },
  };
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `${nameOf(deployment)}-${hash}`,
      namespace: namespaceOf(deployment),
      labels: { ...template.metadata?.labels },
      annotations: {
        ...copiedAnnotations(deployment),
        [revisionAnnotation]: String(revision),
        ...replicasAnnotations(deployment),
      },
      ownerReferences: [controllerRef(deployment, deployments)],
    },
    spec: {
      replicas,
      ...(deployment.spec.minReadySeconds ? { minReadySeconds: deployment.spec.minReadySeconds } : {}),
      selector: {
        ...deployment.spec.selector,
        matchLabels: { ...deployment.spec.selector.matchLabels, [templateHashLabel]: hash },
      },
      template,
    },
    status: { replicas: 0 },
  };
}

/**
 * The new replica set with the deployment's annotations and the given revision. Going back to an earlier replica set
 * (`kubectl rollout undo`) gives it a new revision; the earlier ones are kept in its revision history.
 */
export function syncedAnnotations(
  deployment: apps.Deployment,
  replicaSet: apps.ReplicaSet,
  revision: number,
): Record<string, string> {
  const before = replicaSet.metadata.annotations ?? {};
  const after: Record<string, string> = { ...before, ...copiedAnnotations(deployment) };
  if (revisionOf(replicaSet) < revision) {
    after[revisionAnnotation] = String(revision);
    const old = before[revisionAnnotation];
    if (old) after[revisionHistoryAnnotation] = [before[revisionHistoryAnnotation], old].filter(Boolean).join(',');
  }
  return after;
}
