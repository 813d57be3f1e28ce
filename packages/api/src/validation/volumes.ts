import type { FieldPath } from '../errors.js';
import type * as core from '../gen/core-v1.js';
import { tryQuantity } from '../quantity.js';
import {
  dnsLabel,
  duplicate,
  type FieldErrors,
  forbidden,
  invalid,
  notSupported,
  present,
  required,
} from './common.js';
import { validateFieldRef, validateResourceFieldRef } from './env.js';
import { fileMode, localNonReservedPath, noBacksteps } from './paths.js';
import { validateVolumeClaimSpec } from './volume-claims.js';

/** In upstream's order of checking: the first one set is the volume's type, every other is one too many. */
const volumeTypes = [
  'emptyDir',
  'hostPath',
  'gitRepo',
  'gcePersistentDisk',
  'awsElasticBlockStore',
  'secret',
  'nfs',
  'iscsi',
  'glusterfs',
  'flocker',
  'persistentVolumeClaim',
  'rbd',
  'cinder',
  'cephfs',
  'quobyte',
  'downwardAPI',
  'fc',
  'flexVolume',
  'configMap',
  'azureFile',
  'vsphereVolume',
  'photonPersistentDisk',
  'portworxVolume',
  'azureDisk',
  'storageos',
  'projected',
  'scaleIO',
  'csi',
  'ephemeral',
  'image',
] as const satisfies readonly (keyof core.VolumeSource)[];

const downwardFields = [
  'metadata.annotations',
  'metadata.labels',
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
];

export type VolumesByName = ReadonlyMap<string, core.Volume>;

/** The errors, and the volumes without any: mounts of the others are reported as not found. */
export function validateVolumes(
  volumes: readonly core.Volume[] | undefined,
  path: FieldPath,
): { errors: FieldErrors; byName: VolumesByName } {
  const byName = new Map<string, core.Volume>();
  const errors: FieldErrors = [];
  for (const [i, volume] of (volumes ?? []).entries()) {
    const at = path.index(i);
    const own = validateSource(volume, at);
    if (!volume.name) own.push(required(at.child('name')));
    else own.push(...dnsLabel(at.child('name'), volume.name));
    if (byName.has(volume.name)) own.push(duplicate(at.child('name'), volume.name));
    if (own.length === 0) byName.set(volume.name, volume);
    errors.push(...own);
  }
  return { errors, byName };
}

function validateSource(source: core.VolumeSource, path: FieldPath): FieldErrors {
  const [first, ...more] = volumeTypes.filter((type) => source[type] !== undefined);
  if (first === undefined) return [required(path, 'must specify a volume type')];
  const errors = validateOne(source, path);
  for (const type of more) errors.push(forbidden(path.child(type), 'may not specify more than 1 volume type'));
  return errors;
}

/** The types that Flotilla can mount, and those whose mistakes are the same. */
function validateOne(source: core.VolumeSource, path: FieldPath): FieldErrors {
  const { emptyDir, hostPath, secret, configMap, persistentVolumeClaim, downwardAPI, projected, nfs, csi } = source;
  if (emptyDir) return validateEmptyDir(emptyDir, path.child('emptyDir'));
  if (hostPath) return validateHostPath(hostPath, path.child('hostPath'));
  if (secret) return validateKeyed(secret, 'secretName', secret.secretName, path.child('secret'));
  if (nfs) return validateNfs(nfs, path.child('nfs'));
  if (persistentVolumeClaim) {
    return present(path.child('persistentVolumeClaim', 'claimName'), persistentVolumeClaim.claimName);
  }
  if (downwardAPI) return validateDownwardApi(downwardAPI, path.child('downwardAPI'));
  if (configMap) return validateKeyed(configMap, 'name', configMap.name, path.child('configMap'));
  if (projected) return validateProjected(projected, path.child('projected'));
  if (csi) return present(path.child('csi', 'driver'), csi.driver);
  if (source.ephemeral) return validateEphemeral(source.ephemeral, path.child('ephemeral'));
  return [];
}

function validateEmptyDir(emptyDir: core.EmptyDirVolumeSource, path: FieldPath): FieldErrors {
  if (emptyDir.sizeLimit === undefined || (tryQuantity(emptyDir.sizeLimit)?.sign() ?? -1) >= 0) return [];
  return [forbidden(path.child('sizeLimit'), 'SizeLimit field must be a valid resource quantity')];
}

const hostPathTypes = [
  '',
  'BlockDevice',
  'CharDevice',
  'Directory',
  'DirectoryOrCreate',
  'File',
  'FileOrCreate',
  'Socket',
];

export function validateHostPath(hostPath: core.HostPathVolumeSource, path: FieldPath): FieldErrors {
  if (!hostPath.path) return [required(path.child('path'))];
  const errors = noBacksteps(path.child('path'), hostPath.path);
  if (hostPath.type !== undefined && !hostPathTypes.includes(hostPath.type)) {
    errors.push(notSupported(path.child('type'), hostPath.type, hostPathTypes));
  }
  return errors;
}

export function validateNfs(nfs: core.NFSVolumeSource, path: FieldPath): FieldErrors {
  const errors = [...present(path.child('server'), nfs.server), ...present(path.child('path'), nfs.path)];
  if (!nfs.path?.startsWith('/')) errors.push(invalid(path.child('path'), nfs.path, 'must be an absolute path'));
  return errors;
}

interface Keyed {
  items?: core.KeyToPath[];
  defaultMode?: number;
}

function validateKeyed(source: Keyed, nameField: string, name: string | undefined, path: FieldPath): FieldErrors {
  return [
    ...present(path.child(nameField), name),
    ...fileMode(path.child('defaultMode'), source.defaultMode),
    ...(source.items ?? []).flatMap((item, i) => validateItem(item, path.child('items').index(i))),
  ];
}

function validateItem(item: core.KeyToPath, path: FieldPath): FieldErrors {
  return [
    ...present(path.child('key'), item.key),
    ...present(path.child('path'), item.path),
    ...localNonReservedPath(path.child('path'), item.path ?? ''),
    ...fileMode(path.child('mode'), item.mode),
  ];
}

/** Upstream does not number the items. */
function validateDownwardApi(source: core.DownwardAPIVolumeSource, path: FieldPath): FieldErrors {
  return [
    ...fileMode(path.child('defaultMode'), source.defaultMode),
    ...(source.items ?? []).flatMap((item) => validateDownwardFile(item, path)),
  ];
}

function validateDownwardFile(file: core.DownwardAPIVolumeFile, path: FieldPath): FieldErrors {
  const { fieldRef, resourceFieldRef } = file;
  const errors = [
    ...present(path.child('path'), file.path),
    ...localNonReservedPath(path.child('path'), file.path ?? ''),
  ];
  if (fieldRef) {
    errors.push(...validateFieldRef(fieldRef, downwardFields, path.child('fieldRef')));
    if (resourceFieldRef) {
      errors.push(invalid(path, 'resource', 'fieldRef and resourceFieldRef can not be specified simultaneously'));
    }
  } else if (resourceFieldRef) {
    errors.push(...validateResourceFieldRef(resourceFieldRef, path.child('resourceFieldRef'), true));
  } else errors.push(required(path, 'one of fieldRef and resourceFieldRef is required'));
  return [...errors, ...fileMode(path.child('mode'), file.mode)];
}

const projections = [
  'secret',
  'configMap',
  'downwardAPI',
  'serviceAccountToken',
  'clusterTrustBundle',
  'podCertificate',
] as const satisfies readonly (keyof core.VolumeProjection)[];

function validateProjected(projected: core.ProjectedVolumeSource, path: FieldPath): FieldErrors {
  const errors = fileMode(path.child('defaultMode'), projected.defaultMode);
  const taken = new Set<string>();
  for (const [i, source] of (projected.sources ?? []).entries()) {
    const at = path.child('sources').index(i);
    errors.push(...validateProjection(source, path, at, taken));
    if (projections.filter((type) => source[type] !== undefined).length > 1) {
      errors.push(forbidden(at, 'may not specify more than 1 volume type'));
    }
  }
  return errors;
}

function validateProjection(
  source: core.VolumeProjection,
  path: FieldPath,
  at: FieldPath,
  taken: Set<string>,
): FieldErrors {
  const errors: FieldErrors = [];
  const claim = (file: string, owner: string): void => {
    if (file && taken.has(file)) errors.push(invalid(path, owner, 'conflicting duplicate paths'));
    taken.add(file);
  };
  for (const key of ['secret', 'configMap'] as const) {
    const keyed = source[key];
    if (!keyed) continue;
    errors.push(...present(at.child(key, 'name'), keyed.name));
    for (const [i, item] of (keyed.items ?? []).entries()) {
      errors.push(...validateItem(item, at.child(key, 'items').index(i)));
      claim(item.path, keyed.name ?? '');
    }
  }
  for (const file of source.downwardAPI?.items ?? []) {
    errors.push(...validateDownwardFile(file, at.child('downwardAPI')));
    claim(file.path, file.path);
  }
  if (source.serviceAccountToken) errors.push(...validateToken(source.serviceAccountToken, path, at));
  return errors;
}

function validateToken(token: core.ServiceAccountTokenProjection, path: FieldPath, at: FieldPath): FieldErrors {
  const seconds = at.child('serviceAccountToken', 'expirationSeconds');
  const { expirationSeconds: lifetime = 3600 } = token;
  const errors: FieldErrors = [];
  if (lifetime < 600) errors.push(invalid(seconds, lifetime, 'may not specify a duration less than 10 minutes'));
  if (lifetime > 2 ** 32)
    errors.push(invalid(seconds, lifetime, 'may not specify a duration larger than 2^32 seconds'));
  if (!token.path) errors.push(required(path.child('path')));
  else errors.push(...localNonReservedPath(path.child('path'), token.path));
  return errors;
}

function validateEphemeral(ephemeral: core.EphemeralVolumeSource, path: FieldPath): FieldErrors {
  const template = path.child('volumeClaimTemplate');
  if (!ephemeral.volumeClaimTemplate) return [required(template)];
  return validateVolumeClaimSpec(ephemeral.volumeClaimTemplate.spec, template.child('spec'));
}
