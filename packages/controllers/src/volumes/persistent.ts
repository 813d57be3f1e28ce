import type { core, storage } from '@flotilla/api';
import { nameOf, namespaceOf, uidOf } from '../common/objects.js';
import { localPathProvisioner } from './claims.js';
import { annotation, boundByController, provisionedBy, requestedStorage } from './match.js';

/** Set by provisioners on what they provision, so that the reclaim policy holds even if the volume is deleted first. */
export const provisionerFinalizer = 'external-provisioner.volume.kubernetes.io/finalizer';

export interface VolumeState {
  volume: core.PersistentVolume;
  /** The claim named by its claimRef, whatever its uid. */
  claim: core.PersistentVolumeClaim | undefined;
}

export type VolumeAction =
  | { kind: 'phase'; phase: core.PersistentVolumePhase }
  /** The claim it was bound to is gone. `by`: how the reclaim policy is carried out. */
  | { kind: 'release'; by: 'retain' | 'delete' | 'recycle' | 'others' }
  /** Its claim was bound to another volume; give it free again. */
  | { kind: 'unbind' }
  /** The claim's reconciliation finishes the binding. */
  | { kind: 'leaveToClaim' };

/** What a volume needs next. Follows upstream's syncVolume. */
export function decideVolume({ volume, claim: found }: VolumeState): VolumeAction {
  const ref = volume.spec.claimRef;
  if (!ref?.uid) return { kind: 'phase', phase: 'Available' };
  const claim = found && uidOf(found) === ref.uid ? found : undefined;
  if (!claim) return release(volume);
  if (!claim.spec.volumeName) return { kind: 'leaveToClaim' };
  if (claim.spec.volumeName === nameOf(volume)) return { kind: 'phase', phase: 'Bound' };
  const dynamic = annotation(volume, provisionedBy) !== undefined;
  return dynamic && volume.spec.persistentVolumeReclaimPolicy === 'Delete' ? release(volume) : { kind: 'unbind' };
}

function release(volume: core.PersistentVolume): VolumeAction {
  switch (volume.spec.persistentVolumeReclaimPolicy ?? 'Retain') {
    case 'Delete': {
      const by = annotation(volume, provisionedBy);
      return { kind: 'release', by: by === localPathProvisioner ? 'delete' : 'others' };
    }
    case 'Recycle':
      return { kind: 'release', by: 'recycle' };
    default:
      return { kind: 'release', by: 'retain' };
  }
}

export const volumeNameFor = (claim: core.PersistentVolumeClaim): string => `pvc-${uidOf(claim)}`;

export const claimRefOf = (claim: core.PersistentVolumeClaim): core.ObjectReference => ({
  kind: 'PersistentVolumeClaim',
  apiVersion: 'v1',
  namespace: namespaceOf(claim),
  name: nameOf(claim),
  uid: uidOf(claim),
  ...(claim.metadata.resourceVersion ? { resourceVersion: claim.metadata.resourceVersion } : {}),
});

/** A volume in the directory `path`, made for `claim`. All nodes of the cluster see the directory, so it has no affinity. */
export function provisionedVolume(
  claim: core.PersistentVolumeClaim,
  storageClass: storage.StorageClass,
  path: string,
): core.PersistentVolume {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: {
      name: volumeNameFor(claim),
      annotations: { [provisionedBy]: localPathProvisioner, [boundByController]: 'yes' },
      finalizers: ['kubernetes.io/pv-protection', provisionerFinalizer],
    },
    spec: {
      capacity: { storage: requestedStorage(claim) },
      accessModes: claim.spec.accessModes ?? [],
      claimRef: claimRefOf(claim),
      persistentVolumeReclaimPolicy: storageClass.reclaimPolicy ?? 'Delete',
      storageClassName: nameOf(storageClass),
      volumeMode: 'Filesystem',
      hostPath: { path, type: 'DirectoryOrCreate' },
      ...(storageClass.mountOptions ? { mountOptions: storageClass.mountOptions } : {}),
    },
    status: {},
  };
}
