import { type core, keyOf, persistentVolumeClaims, persistentVolumes } from '@flotilla/api';
import { type Clock, deferred, NamedError } from '@flotilla/base';
import type { ApiClient, Caches } from './caches.js';
import { type ClaimPlan, isClaimBound, selectedNodeAnnotation } from './filters/volumes.js';

/** The claims of a pod were not bound in time, or can no longer be. */
export class VolumeBindingError extends NamedError {}

/** How long a volume may take to be bound or provisioned (upstream's bindTimeoutSeconds). */
const bindTimeoutMs = 600_000;

/**
 * Has the waiting claims of a pod bound for its node: reserves existing volumes, asks for new ones by annotation, and
 * waits until the volume controller has done its part.
 */
export async function bindClaims(
  plans: readonly ClaimPlan[],
  node: string,
  ports: { client: ApiClient; caches: Caches; clock: Clock; signal: AbortSignal },
): Promise<void> {
  if (plans.length === 0) return;
  await Promise.all(
    plans.map((plan) =>
      plan.reserve ? reserve(plan.claim, plan.reserve, ports.client) : select(plan.claim, node, ports.client),
    ),
  );
  await Promise.all(plans.map(({ claim }) => whenBound(claim, node, ports)));
}

async function reserve(
  claim: core.PersistentVolumeClaim,
  volume: core.PersistentVolume,
  client: ApiClient,
): Promise<void> {
  if (volume.spec.claimRef?.uid === claim.metadata.uid) return;
  await client.resource(persistentVolumes).update({
    ...volume,
    metadata: {
      ...volume.metadata,
      annotations: { ...volume.metadata.annotations, 'pv.kubernetes.io/bound-by-controller': 'yes' },
    },
    spec: {
      ...volume.spec,
      claimRef: {
        kind: 'PersistentVolumeClaim',
        apiVersion: 'v1',
        ...(claim.metadata.namespace ? { namespace: claim.metadata.namespace } : {}),
        ...(claim.metadata.name ? { name: claim.metadata.name } : {}),
        ...(claim.metadata.uid ? { uid: claim.metadata.uid } : {}),
      },
    },
  });
}

async function select(claim: core.PersistentVolumeClaim, node: string, client: ApiClient): Promise<void> {
  if (claim.metadata.annotations?.[selectedNodeAnnotation] === node) return;
  const { name = '', namespace, uid, resourceVersion } = claim.metadata;
  await client
    .resource(persistentVolumeClaims)
    .patch(
      { name, namespace },
      { metadata: { uid, resourceVersion, annotations: { [selectedNodeAnnotation]: node } } },
    );
}

async function whenBound(
  claim: core.PersistentVolumeClaim,
  node: string,
  { caches, clock, signal }: { caches: Caches; clock: Clock; signal: AbortSignal },
): Promise<void> {
  const key = keyOf(claim);
  const outcome = deferred<void>();
  const fail = (message: string): void => outcome.reject(new VolumeBindingError('VolumeBinding', message));
  let annotated = false;
  const check = (now: core.PersistentVolumeClaim | undefined): void => {
    if (!now || now.metadata.uid !== claim.metadata.uid)
      return fail(`persistentvolumeclaim "${claim.metadata.name}" was deleted`);
    if (isClaimBound(now)) return outcome.resolve();
    const selected = now.metadata.annotations?.[selectedNodeAnnotation];
    annotated ||= selected === node;
    // The provisioner gives a node up by taking the annotation away: another one is to be chosen.
    if (annotated && selected !== node)
      fail(`provisioning of persistentvolumeclaim "${claim.metadata.name}" was given up on node ${node}`);
  };
  // What is there is told at once; what is not there any more is not.
  if (!caches.claims.get(key)) check(undefined);
  const stop = caches.claims.onChange((changed, now) => changed === key && check(now));
  const timer = clock.after(bindTimeoutMs, () => fail('timed out waiting for the condition'));
  const abort = (): void => fail('the scheduler was stopped');
  signal.addEventListener('abort', abort, { once: true });
  try {
    await outcome.promise;
  } finally {
    stop();
    timer.cancel();
    signal.removeEventListener('abort', abort);
  }
}
