import { FieldPath } from '../errors.js';
import type * as core from '../gen/core-v1.js';
import { tryQuantity } from '../quantity.js';
import {
  dnsSubdomain,
  type FieldErrors,
  forbidden,
  immutable,
  notSupported,
  optionalOneOf,
  required,
  type Rules,
  semanticEqual,
} from './common.js';
import { validateLabelSelector } from './label-selector.js';
import { positiveQuantity } from './resources.js';

export const accessModes = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];
export const volumeModes = ['Block', 'Filesystem'];

export function validateAccessModes(modes: readonly string[], path: FieldPath, why = ''): FieldErrors {
  const errors = modes.length === 0 ? [required(path, why)] : [];
  for (const mode of modes) if (!accessModes.includes(mode)) errors.push(notSupported(path, mode, accessModes));
  if (modes.includes('ReadWriteOncePod') && modes.some((m) => m !== 'ReadWriteOncePod')) {
    errors.push(forbidden(path, 'may not use ReadWriteOncePod with other access modes'));
  }
  return errors;
}

export function validateVolumeClaimSpec(spec: core.PersistentVolumeClaimSpec, path: FieldPath): FieldErrors {
  const size = spec.resources?.requests?.['storage'];
  const at = path.child('resources').key('storage');
  return [
    ...validateAccessModes(spec.accessModes ?? [], path.child('accessModes'), 'at least 1 access mode is required'),
    ...validateLabelSelector(spec.selector, path.child('selector')),
    ...(size === undefined ? [required(at)] : positiveQuantity(at, size)),
    ...(spec.storageClassName ? dnsSubdomain(path.child('storageClassName'), spec.storageClassName) : []),
    ...optionalOneOf(path.child('volumeMode'), spec.volumeMode, volumeModes),
  ];
}

const root = FieldPath.of('spec');

function update(claim: core.PersistentVolumeClaim, old: core.PersistentVolumeClaim): FieldErrors {
  const errors = validateVolumeClaimSpec(claim.spec, root);
  const now = claim.spec;
  const before = old.spec;
  const bound = claim.status?.phase === 'Bound';
  const mask: Partial<core.PersistentVolumeClaimSpec> = {};
  if (!before.volumeName) Object.assign(mask, { volumeName: before.volumeName });
  // A claim made before there was a default class may get one.
  if (before.storageClassName === undefined) Object.assign(mask, { storageClassName: undefined });
  if (bound)
    Object.assign(mask, { resources: before.resources, volumeAttributesClassName: before.volumeAttributesClassName });
  if (!semanticEqual({ ...now, ...mask }, before)) {
    const message =
      'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims';
    errors.push(forbidden(root, message));
  }
  const [size, oldSize] = [now, before].map((spec) => tryQuantity(spec.resources?.requests?.['storage']));
  const capacity = tryQuantity(old.status?.capacity?.['storage']);
  if (size && oldSize && size.compare(oldSize) < 0 && size.compare(capacity ?? oldSize) <= 0) {
    const at = root.child('resources', 'requests', 'storage');
    errors.push(forbidden(at, 'field can not be less than status.capacity'));
  }
  return [...errors, ...immutable(FieldPath.of('volumeMode'), now.volumeMode, before.volumeMode)];
}

export const persistentVolumeClaimRules: Rules = {
  create: (claim: core.PersistentVolumeClaim) => validateVolumeClaimSpec(claim.spec, root),
  update,
  status: () => [],
};
