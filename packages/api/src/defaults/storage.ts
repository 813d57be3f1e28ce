import type * as core from '../gen/core-v1.js';
import type * as storage from '../gen/storage-v1.js';

/** The empty type: no check before mounting. */
export function setHostPathDefaults(hostPath: core.HostPathVolumeSource | undefined): void {
  if (hostPath && hostPath.type === undefined) Object.assign(hostPath, { type: '' });
}

export function setVolumeClaimSpecDefaults(spec: core.PersistentVolumeClaimSpec): void {
  spec.volumeMode ??= 'Filesystem';
}

export function setPersistentVolumeClaimDefaults(claim: core.PersistentVolumeClaim): void {
  claim.status ??= {};
  claim.status.phase ||= 'Pending';
  setVolumeClaimSpecDefaults(claim.spec);
}

export function setPersistentVolumeDefaults(volume: core.PersistentVolume): void {
  volume.status ??= {};
  volume.status.phase ||= 'Pending';
  volume.spec.persistentVolumeReclaimPolicy ||= 'Retain';
  volume.spec.volumeMode ??= 'Filesystem';
  setHostPathDefaults(volume.spec.hostPath);
}

export function setStorageClassDefaults(storageClass: storage.StorageClass): void {
  storageClass.reclaimPolicy ??= 'Delete';
  storageClass.volumeBindingMode ??= 'Immediate';
}
