import { FieldPath } from '../errors.js';
import type * as core from '../gen/core-v1.js';
import type * as storage from '../gen/storage-v1.js';
import { byteLength } from '../names.js';
import {
  dnsSubdomain,
  type FieldErrors,
  forbidden,
  immutable,
  invalid,
  notSupported,
  oneOf,
  optionalOneOf,
  present,
  qualifiedName,
  required,
  type Rules,
  semanticEqual,
  tooLong,
} from './common.js';
import { positiveQuantity } from './resources.js';
import { validateNodeSelector } from './scheduling.js';
import { validateAccessModes, volumeModes } from './volume-claims.js';
import { validateHostPath, validateNfs } from './volumes.js';

const root = FieldPath.of('spec');

/** In upstream's order: the first one set is the volume's type, every other is one too many. */
const volumeTypes = [
  'hostPath',
  'gcePersistentDisk',
  'awsElasticBlockStore',
  'glusterfs',
  'flocker',
  'nfs',
  'rbd',
  'quobyte',
  'cephfs',
  'iscsi',
  'cinder',
  'fc',
  'flexVolume',
  'azureFile',
  'vsphereVolume',
  'photonPersistentDisk',
  'portworxVolume',
  'azureDisk',
  'scaleIO',
  'local',
  'storageos',
  'csi',
] as const satisfies readonly (keyof core.PersistentVolumeSource)[];

function validateVolume({ spec }: core.PersistentVolume): FieldErrors {
  const capacity = spec.capacity ?? {};
  const at = root.child('capacity');
  const errors = validateAccessModes(spec.accessModes ?? [], root.child('accessModes'));
  if (Object.keys(capacity).length === 0) errors.push(required(at));
  if (capacity['storage'] === undefined || Object.keys(capacity).length > 1) {
    errors.push(notSupported(at, capacity, ['storage']));
  }
  for (const [name, text] of Object.entries(capacity)) errors.push(...positiveQuantity(at.key(name), text));
  const reclaim = root.child('persistentVolumeReclaimPolicy');
  errors.push(...optionalOneOf(reclaim, spec.persistentVolumeReclaimPolicy, ['Delete', 'Recycle', 'Retain']));
  errors.push(...validateAffinity(spec), ...validateSource(spec));
  if (spec.hostPath?.path === '/' && spec.persistentVolumeReclaimPolicy === 'Recycle') {
    errors.push(forbidden(reclaim, "may not be 'recycle' for a hostPath mount of '/'"));
  }
  if (spec.storageClassName) errors.push(...dnsSubdomain(root.child('storageClassName'), spec.storageClassName));
  return [...errors, ...optionalOneOf(root.child('volumeMode'), spec.volumeMode, volumeModes)];
}

function validateAffinity({ nodeAffinity, local }: core.PersistentVolumeSpec): FieldErrors {
  const at = root.child('nodeAffinity');
  if (!nodeAffinity) return local ? [required(at, 'Local volume requires node affinity')] : [];
  if (!nodeAffinity.required) return [required(at.child('required'), 'must specify required node constraints')];
  return validateNodeSelector(nodeAffinity.required, at.child('required'));
}

function validateSource(spec: core.PersistentVolumeSpec): FieldErrors {
  const [first, ...more] = volumeTypes.filter((type) => spec[type] !== undefined);
  if (!first) return [required(root, 'must specify a volume type')];
  const at = root.child(first);
  const errors: FieldErrors = [];
  if (spec.hostPath) errors.push(...validateHostPath(spec.hostPath, at));
  else if (spec.nfs) errors.push(...validateNfs(spec.nfs, at));
  else if (spec.local) errors.push(...present(at.child('path'), spec.local.path));
  else if (spec.csi) {
    errors.push(
      ...present(at.child('driver'), spec.csi.driver),
      ...present(at.child('volumeHandle'), spec.csi.volumeHandle),
    );
  }
  for (const type of more) errors.push(forbidden(root.child(type), 'may not specify more than 1 volume type'));
  return errors;
}

function updateVolume(volume: core.PersistentVolume, old: core.PersistentVolume): FieldErrors {
  const errors = validateVolume(volume);
  if (volumeTypes.some((type) => !semanticEqual(volume.spec[type], old.spec[type]))) {
    const message = 'spec.persistentvolumesource is immutable after creation';
    errors.push(forbidden(root.child('persistentvolumesource'), message));
  }
  errors.push(...immutable(FieldPath.of('volumeMode'), volume.spec.volumeMode, old.spec.volumeMode));
  if (old.spec.nodeAffinity && !semanticEqual(volume.spec.nodeAffinity, old.spec.nodeAffinity)) {
    const message = 'field is immutable, except for updating from beta label to GA';
    errors.push(invalid(FieldPath.of('nodeAffinity'), volume.spec.nodeAffinity, message));
  }
  return errors;
}

export const persistentVolumeRules: Rules = { create: validateVolume, update: updateVolume, status: () => [] };

const maxParameters = 512;
const maxParameterBytes = 256 * 1024;

function validateClass(storageClass: storage.StorageClass): FieldErrors {
  const at = FieldPath.of('provisioner');
  const { provisioner, parameters = {} } = storageClass;
  const errors = provisioner ? qualifiedName(at, provisioner.toLowerCase()) : [required(at)];
  const entries = Object.entries(parameters);
  const path = FieldPath.of('parameters');
  if (entries.length > maxParameters) errors.push(tooLong(path, maxParameters));
  for (const [key] of entries) if (key === '') errors.push(invalid(path, key, 'field can not be empty.'));
  const bytes = entries.reduce((sum, [key, value]) => sum + byteLength(key) + byteLength(value), 0);
  if (bytes > maxParameterBytes) errors.push(tooLong(path, maxParameterBytes));
  const modes = ['Immediate', 'WaitForFirstConsumer'];
  return [
    ...errors,
    ...optionalOneOf(FieldPath.of('reclaimPolicy'), storageClass.reclaimPolicy, ['Delete', 'Retain']),
    ...oneOf(FieldPath.of('volumeBindingMode'), storageClass.volumeBindingMode, modes),
  ];
}

function updateClass(now: storage.StorageClass, before: storage.StorageClass): FieldErrors {
  const errors = validateClass(now);
  for (const field of ['parameters', 'provisioner', 'reclaimPolicy'] as const) {
    if (semanticEqual(now[field], before[field])) continue;
    errors.push(forbidden(FieldPath.of(field), `updates to ${field} are forbidden.`));
  }
  return [...errors, ...immutable(FieldPath.of('volumeBindingMode'), now.volumeBindingMode, before.volumeBindingMode)];
}

export const storageClassRules: Rules = { create: validateClass, update: updateClass };
