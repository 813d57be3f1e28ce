import { type core, type KubeObject, labelSelectorOf, tryQuantity } from '@flotilla/api';
import { isTerminating, nameOf, namespaceOf, uidOf } from '../common/objects.js';

export const boundByController = 'pv.kubernetes.io/bound-by-controller';
export const bindCompleted = 'pv.kubernetes.io/bind-completed';
export const selectedNode = 'volume.kubernetes.io/selected-node';
export const provisionedBy = 'pv.kubernetes.io/provisioned-by';

export const annotation = (object: KubeObject, key: string): string | undefined => object.metadata.annotations?.[key];

export const storageClassOf = (object: core.PersistentVolume | core.PersistentVolumeClaim): string =>
  object.spec.storageClassName ?? annotation(object, 'volume.beta.kubernetes.io/storage-class') ?? '';

export const isBoundTo = (volume: core.PersistentVolume, claim: core.PersistentVolumeClaim): boolean => {
  const ref = volume.spec.claimRef;
  if (!ref || ref.name !== nameOf(claim) || ref.namespace !== namespaceOf(claim)) return false;
  return !ref.uid || ref.uid === uidOf(claim);
};

export const requestedStorage = (claim: core.PersistentVolumeClaim): string =>
  claim.spec.resources.requests?.['storage'] ?? '0';

/** Why a volume that a claim names cannot be used for it, in upstream's words; undefined if it can. */
export function mismatch(volume: core.PersistentVolume, claim: core.PersistentVolumeClaim): string | undefined {
  const capacity = tryQuantity(volume.spec.capacity?.['storage'] ?? '0');
  const request = tryQuantity(requestedStorage(claim));
  if (capacity && request && capacity.compare(request) < 0) return 'requested PV is too small';
  if (storageClassOf(volume) !== storageClassOf(claim)) return 'storageClassName does not match';
  if ((volume.spec.volumeMode ?? 'Filesystem') !== (claim.spec.volumeMode ?? 'Filesystem'))
    return 'incompatible volumeMode';
  const modes = volume.spec.accessModes ?? [];
  if (!(claim.spec.accessModes ?? []).every((mode) => modes.includes(mode))) return 'incompatible accessMode';
  return undefined;
}

/** The best volume for a claim: one reserved for it, else the smallest free one that satisfies it. */
export function findVolume(
  volumes: readonly core.PersistentVolume[],
  claim: core.PersistentVolumeClaim,
): core.PersistentVolume | undefined {
  const fitting = volumes.filter((volume) => !isTerminating(volume) && mismatch(volume, claim) === undefined);
  const reserved = fitting.find((volume) => isBoundTo(volume, claim));
  if (reserved) return reserved;
  const selector = claim.spec.selector ? labelSelectorOf(claim.spec.selector) : undefined;
  return fitting
    .filter((volume) => !volume.spec.claimRef && (volume.status.phase ?? 'Pending') !== 'Failed')
    .filter((volume) => selector?.matches(volume.metadata.labels) ?? true)
    .sort(bySize)[0];
}

function bySize(a: core.PersistentVolume, b: core.PersistentVolume): number {
  const size = (volume: core.PersistentVolume): number => tryQuantity(volume.spec.capacity?.['storage'])?.value() ?? 0;
  return size(a) - size(b) || (nameOf(a) < nameOf(b) ? -1 : 1);
}
