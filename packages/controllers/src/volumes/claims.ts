import type { core, storage } from '@flotilla/api';
import { isTerminating, nameOf, namespaceOf, uidOf } from '../common/objects.js';
import { annotation, bindCompleted, findVolume, isBoundTo, mismatch, selectedNode, storageClassOf } from './match.js';

export const localPathProvisioner = 'flotilla.dev/local-path';
const defaultClassAnnotation = 'storageclass.kubernetes.io/is-default-class';

export interface ClaimState {
  claim: core.PersistentVolumeClaim;
  volumes: readonly core.PersistentVolume[];
  classes: readonly storage.StorageClass[];
  /** Pods that use the claim. */
  consumers: readonly core.Pod[];
}

export interface ClaimEvent {
  type: 'Normal' | 'Warning';
  reason: string;
  message: string;
}

export type ClaimAction =
  | { kind: 'none' }
  /** Makes the two refer to each other and says so in both statuses. */
  | { kind: 'bind'; volume: core.PersistentVolume }
  | { kind: 'provision'; storageClass: storage.StorageClass }
  /** Somebody else's provisioner is told by annotation. */
  | { kind: 'askProvisioner'; storageClass: storage.StorageClass; event: ClaimEvent }
  | { kind: 'setClass'; storageClass: string }
  | { kind: 'pending'; event?: ClaimEvent }
  | { kind: 'lost'; event: ClaimEvent };

/** The newest of the classes marked as default, as admission chooses it. */
export function defaultClass(classes: readonly storage.StorageClass[]): storage.StorageClass | undefined {
  const marked = classes.filter((c) => annotation(c, defaultClassAnnotation) === 'true');
  const created = (c: storage.StorageClass): string => c.metadata.creationTimestamp ?? '';
  return marked.sort((a, b) =>
    created(a) > created(b) ? -1 : created(a) < created(b) ? 1 : nameOf(a) < nameOf(b) ? -1 : 1,
  )[0];
}

/** What a claim needs next. Follows upstream's syncClaim. */
export function decideClaim(state: ClaimState): ClaimAction {
  const { claim } = state;
  if (annotation(claim, bindCompleted) !== undefined) return decideBound(state);
  if (isTerminating(claim)) return { kind: 'none' };
  return claim.spec.volumeName ? decideNamed(state, claim.spec.volumeName) : decideUnbound(state);
}

function decideBound({ claim, volumes }: ClaimState): ClaimAction {
  const lost = (reason: string, message: string): ClaimAction => ({
    kind: 'lost',
    event: { type: 'Warning', reason, message },
  });
  if (!claim.spec.volumeName) {
    return lost('ClaimLost', 'Bound claim has lost reference to PersistentVolume. Data on the volume is lost!');
  }
  const volume = volumes.find((v) => nameOf(v) === claim.spec.volumeName);
  if (!volume) return lost('ClaimLost', 'Bound claim has lost its PersistentVolume. Data on the volume is lost!');
  if (volume.spec.claimRef && volume.spec.claimRef.uid !== uidOf(claim)) {
    return lost('ClaimMisbound', 'Two claims are bound to the same volume, this one is bound incorrectly');
  }
  return { kind: 'bind', volume };
}

/** The user asked for this volume. */
function decideNamed({ claim, volumes }: ClaimState, name: string): ClaimAction {
  const volume = volumes.find((v) => nameOf(v) === name);
  if (!volume) return { kind: 'pending' };
  if (volume.spec.claimRef && !isBoundTo(volume, claim)) {
    const message = `volume "${name}" already bound to a different claim.`;
    return { kind: 'pending', event: { type: 'Warning', reason: 'FailedBinding', message } };
  }
  const why = mismatch(volume, claim);
  if (!volume.spec.claimRef && why) {
    const message = `Cannot bind to requested volume "${name}": ${why}`;
    return { kind: 'pending', event: { type: 'Warning', reason: 'VolumeMismatch', message } };
  }
  return { kind: 'bind', volume };
}

function decideUnbound(state: ClaimState): ClaimAction {
  const { claim, classes } = state;
  const fallback = claim.spec.storageClassName === undefined ? defaultClass(classes) : undefined;
  if (fallback && storageClassOf(claim) === '') return { kind: 'setClass', storageClass: nameOf(fallback) };
  const className = storageClassOf(claim);
  const storageClass = classes.find((c) => nameOf(c) === className);
  // Where the consumer decides, the scheduler chooses: it reserves an existing volume for the claim, or names a node to
  // provision for. Volumes that it did not reserve may be out of that node's reach.
  const consumerFirst = storageClass?.volumeBindingMode === 'WaitForFirstConsumer';
  const waits = consumerFirst && annotation(claim, selectedNode) === undefined;
  const volume = consumerFirst
    ? state.volumes.find((v) => isBoundTo(v, claim) && mismatch(v, claim) === undefined)
    : findVolume(state.volumes, claim);
  if (volume) return { kind: 'bind', volume };
  if (waits) return { kind: 'pending', event: waitingEvent(state) };
  if (className === '') {
    const message = 'no persistent volumes available for this claim and no storage class is set';
    return { kind: 'pending', event: { type: 'Normal', reason: 'FailedBinding', message } };
  }
  if (!storageClass) {
    const message = `storageclass.storage.k8s.io "${className}" not found`;
    return { kind: 'pending', event: { type: 'Warning', reason: 'ProvisioningFailed', message } };
  }
  return storageClass.provisioner === localPathProvisioner
    ? decideProvisioning(claim, storageClass)
    : { kind: 'askProvisioner', storageClass, event: externalEvent(storageClass) };
}

function decideProvisioning(claim: core.PersistentVolumeClaim, storageClass: storage.StorageClass): ClaimAction {
  const refuse = (message: string): ClaimAction => ({
    kind: 'pending',
    event: { type: 'Warning', reason: 'ProvisioningFailed', message },
  });
  if (claim.spec.volumeMode === 'Block')
    return refuse(`${localPathProvisioner} does not support block volume provisioning`);
  if (claim.spec.selector) return refuse('claim.Spec.Selector is not supported for dynamic provisioning');
  if (claim.spec.dataSource ?? claim.spec.dataSourceRef)
    return refuse(`${localPathProvisioner} does not support data sources`);
  return { kind: 'provision', storageClass };
}

function waitingEvent({ claim, consumers }: ClaimState): ClaimEvent {
  const unscheduled = consumers
    .filter((pod) => !pod.spec.nodeName && namespaceOf(pod) === namespaceOf(claim))
    .map(nameOf);
  if (unscheduled.length === 0) {
    const message = 'waiting for first consumer to be created before binding';
    return { type: 'Normal', reason: 'WaitForFirstConsumer', message };
  }
  const message =
    unscheduled.length === 1
      ? `waiting for pod ${unscheduled[0]} to be scheduled`
      : `waiting for pods ${unscheduled.sort().join(',')} to be scheduled`;
  return { type: 'Normal', reason: 'WaitForPodScheduled', message };
}

function externalEvent(storageClass: storage.StorageClass): ClaimEvent {
  const message = `Waiting for a volume to be created either by the external provisioner '${storageClass.provisioner}' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.`;
  return { type: 'Normal', reason: 'ExternalProvisioning', message };
}
