import type { FieldPath } from '../errors.js';
import type * as core from '../gen/core-v1.js';
import { type FieldErrors, forbidden, invalid, notFound, notSupported, required } from './common.js';
import { localPath, noBacksteps } from './paths.js';
import type { VolumesByName } from './volumes.js';

const propagations = ['Bidirectional', 'HostToContainer', 'None'];

/** Some paths lack the index, as upstream's do. */
export function validateMounts(container: core.Container, volumes: VolumesByName, path: FieldPath): FieldErrors {
  const devices = container.volumeDevices ?? [];
  const taken = new Set<string>();
  return (container.volumeMounts ?? []).flatMap((mount, i) => {
    const at = path.index(i);
    const errors: FieldErrors = [];
    if (!mount.name) errors.push(required(at.child('name')));
    if (!volumes.has(mount.name)) errors.push(notFound(at.child('name'), mount.name));
    if (!mount.mountPath) errors.push(required(at.child('mountPath')));
    if (taken.has(mount.mountPath)) errors.push(invalid(at.child('mountPath'), mount.mountPath, 'must be unique'));
    taken.add(mount.mountPath);
    if (devices.some((d) => d.name === mount.name)) {
      errors.push(invalid(at.child('name'), mount.name, 'must not already exist in volumeDevices'));
    }
    if (devices.some((d) => d.devicePath === mount.mountPath)) {
      const message = 'must not already exist as a path in volumeDevices';
      errors.push(invalid(at.child('mountPath'), mount.mountPath, message));
    }
    return [...errors, ...validateSubPaths(mount, path, at), ...validatePropagation(mount, container, path)];
  });
}

function validateSubPaths(mount: core.VolumeMount, path: FieldPath, at: FieldPath): FieldErrors {
  const errors = mount.subPath ? localPath(path.child('subPath'), mount.subPath) : [];
  if (!mount.subPathExpr) return errors;
  if (mount.subPath) {
    errors.push(invalid(at.child('subPathExpr'), mount.subPathExpr, 'subPathExpr and subPath are mutually exclusive'));
  }
  return [...errors, ...localPath(path.child('subPathExpr'), mount.subPathExpr)];
}

function validatePropagation(mount: core.VolumeMount, container: core.Container, path: FieldPath): FieldErrors {
  const propagation = mount.mountPropagation;
  const at = path.child('mountPropagation');
  if (propagation === undefined) return [];
  const errors: FieldErrors = [];
  if (!propagations.includes(propagation)) errors.push(notSupported(at, propagation, propagations));
  if (propagation === 'Bidirectional' && !container.securityContext?.privileged) {
    const message = 'Bidirectional mount propagation is available only to privileged containers';
    errors.push(forbidden(at, message));
  }
  return errors;
}

export function validateDevices(container: core.Container, volumes: VolumesByName, path: FieldPath): FieldErrors {
  const mounts = container.volumeMounts ?? [];
  const names = new Set<string>();
  const paths = new Set<string>();
  return (container.volumeDevices ?? []).flatMap(({ name, devicePath }, i) => {
    const at = path.index(i);
    const errors: FieldErrors = [];
    const volume = volumes.get(name);
    if (!name) errors.push(required(at.child('name')));
    if (names.has(name)) errors.push(invalid(at.child('name'), name, 'must be unique'));
    if (!volume) errors.push(notFound(at.child('name'), name));
    else if (!volume.persistentVolumeClaim && !volume.ephemeral) {
      const message = 'can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode';
      errors.push(invalid(at.child('name'), name, message));
    }
    if (!devicePath) errors.push(required(at.child('devicePath')));
    if (paths.has(devicePath)) errors.push(invalid(at.child('devicePath'), devicePath, 'must be unique'));
    if (noBacksteps(at, devicePath ?? '').length > 0) {
      errors.push(invalid(at.child('devicePath'), devicePath, "can not contain backsteps ('..')"));
    }
    if (mounts.some((m) => m.name === name)) {
      errors.push(invalid(at.child('name'), name, 'must not already exist in volumeMounts'));
    }
    names.add(name);
    paths.add(devicePath);
    return errors;
  });
}
