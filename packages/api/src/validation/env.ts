import type { FieldPath } from '../errors.js';
import type * as core from '../gen/core-v1.js';
import { configKeyErrors, dns1123SubdomainErrors, envNameErrors } from '../names.js';
import { tryQuantity } from '../quantity.js';
import {
  complain,
  dnsLabel,
  dnsSubdomain,
  type FieldErrors,
  invalid,
  membersOf,
  notSupported,
  present,
  qualifiedName,
  required,
} from './common.js';
import { noBacksteps } from './paths.js';

const envFields = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
];
const containerResources = [
  'limits.cpu',
  'limits.ephemeral-storage',
  'limits.memory',
  'requests.cpu',
  'requests.ephemeral-storage',
  'requests.memory',
];
const sources = ['fieldRef', 'resourceFieldRef', 'configMapKeyRef', 'secretKeyRef', 'fileKeyRef'];

export function validateEnv(vars: readonly core.EnvVar[] | undefined, path: FieldPath): FieldErrors {
  return (vars ?? []).flatMap((env, i) => {
    const at = path.index(i);
    const name = env.name
      ? complain(at.child('name'), env.name, envNameErrors(env.name))
      : [required(at.child('name'))];
    return [...name, ...(env.valueFrom ? validateValueFrom(env, env.valueFrom, at.child('valueFrom')) : [])];
  });
}

function validateValueFrom(env: core.EnvVar, from: core.EnvVarSource, path: FieldPath): FieldErrors {
  const errors: FieldErrors = [];
  if (from.fieldRef) errors.push(...validateFieldRef(from.fieldRef, envFields, path.child('fieldRef')));
  if (from.resourceFieldRef) {
    errors.push(...validateResourceFieldRef(from.resourceFieldRef, path.child('resourceFieldRef'), false));
  }
  if (from.configMapKeyRef) errors.push(...validateKeyRef(from.configMapKeyRef, path.child('configMapKeyRef')));
  if (from.secretKeyRef) errors.push(...validateKeyRef(from.secretKeyRef, path.child('secretKeyRef')));
  if (from.fileKeyRef) errors.push(...validateFileKeyRef(from.fileKeyRef, path.child('fileKeyRef')));
  const set = membersOf(from, sources);
  if (set.length === 0) {
    const message =
      'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`';
    errors.push(invalid(path, '', message));
  } else if (env.value) errors.push(invalid(path, '', 'may not be specified when `value` is not empty'));
  else if (set.length > 1) errors.push(invalid(path, '', 'may not have more than one field specified at a time'));
  return errors;
}

const anyField = new Set([
  ...envFields,
  'metadata.labels',
  'metadata.annotations',
  'spec.restartPolicy',
  'spec.schedulerName',
]);

/** `fieldRef`s of environment and volumes; `fields` are the paths without subscript that the place allows. */
export function validateFieldRef(
  ref: core.ObjectFieldSelector,
  fields: readonly string[],
  path: FieldPath,
): FieldErrors {
  if (!ref.apiVersion) return [required(path.child('apiVersion'))];
  if (!ref.fieldPath) return [required(path.child('fieldPath'))];
  const [, base, key] = /^([^[]*)\['(.*)'\]$/s.exec(ref.fieldPath) ?? [];
  if (base !== undefined && key !== undefined) {
    if (base === 'metadata.annotations') return qualifiedName(path, key.toLowerCase());
    if (base === 'metadata.labels') return qualifiedName(path, key);
    return [invalid(path, base, 'does not support subscript')];
  }
  if (!anyField.has(ref.fieldPath)) {
    const message = `error converting fieldPath: field label not supported: ${ref.fieldPath}`;
    return [invalid(path.child('fieldPath'), ref.fieldPath, message)];
  }
  return fields.includes(ref.fieldPath) ? [] : [notSupported(path.child('fieldPath'), ref.fieldPath, fields)];
}

const byteDivisors = ['1', '1k', '1M', '1G', '1T', '1P', '1E', '1Ki', '1Mi', '1Gi', '1Ti', '1Pi', '1Ei'];

/** `inVolume`: a volume belongs to no container, so it must name one. */
export function validateResourceFieldRef(
  ref: core.ResourceFieldSelector,
  path: FieldPath,
  inVolume: boolean,
): FieldErrors {
  const isHugePage = /^(limits|requests)\.hugepages-/.test(ref.resource ?? '');
  const errors: FieldErrors = [];
  if (inVolume && !ref.containerName) errors.push(required(path.child('containerName')));
  else if (!ref.resource) errors.push(required(path.child('resource')));
  else if (!containerResources.includes(ref.resource) && !isHugePage) {
    errors.push(notSupported(path.child('resource'), ref.resource, containerResources));
  }
  const divisor = tryQuantity(ref.divisor || '0')?.toString() ?? '';
  const [, what = ''] = /^(?:limits|requests)\.(.*)$/.exec(ref.resource ?? '') ?? [];
  const allowed = what === 'cpu' ? ['1m', '1'] : byteDivisors;
  if (divisor !== '0' && what !== '' && !allowed.includes(divisor)) {
    const kind = what === 'ephemeral-storage' ? 'local ephemeral storage' : isHugePage ? 'hugepages' : what;
    const message =
      what === 'cpu'
        ? "only divisor's values 1m and 1 are supported with the cpu resource"
        : `only divisor's values ${byteDivisors.join(', ')} are supported with the ${kind} resource`;
    errors.push(invalid(path.child('divisor'), ref.resource, message));
  }
  return errors;
}

function validateKeyRef(ref: core.ConfigMapKeySelector | core.SecretKeySelector, path: FieldPath): FieldErrors {
  const name = ref.name ?? '';
  return [
    ...complain(path.child('name'), name, dns1123SubdomainErrors(name)),
    ...(ref.key ? complain(path.child('key'), ref.key, configKeyErrors(ref.key)) : [required(path.child('key'))]),
  ];
}

function validateFileKeyRef(ref: core.FileKeySelector, path: FieldPath): FieldErrors {
  return [
    ...(ref.key ? complain(path.child('key'), ref.key, envNameErrors(ref.key)) : [required(path.child('key'))]),
    ...(ref.volumeName ? dnsLabel(path.child('volumeName'), ref.volumeName) : [required(path.child('volumeName'))]),
    ...(ref.path ? noBacksteps(path.child('path'), ref.path) : [required(path.child('path'))]),
  ];
}

export function validateEnvFrom(vars: readonly core.EnvFromSource[] | undefined, path: FieldPath): FieldErrors {
  return (vars ?? []).flatMap((from, i) => {
    const at = path.index(i);
    const errors = from.prefix ? complain(at.child('prefix'), from.prefix, envNameErrors(from.prefix)) : [];
    for (const key of ['configMapRef', 'secretRef'] as const) {
      const ref = from[key];
      if (!ref) continue;
      const name = at.child(key, 'name');
      errors.push(...(ref.name ? dnsSubdomain(name, ref.name) : present(name, ref.name)));
    }
    const set = membersOf(from, ['configMapRef', 'secretRef']);
    if (set.length === 0) errors.push(invalid(path, '', 'must specify one of: `configMapRef` or `secretRef`'));
    if (set.length > 1) errors.push(invalid(path, '', 'may not have more than one field specified at a time'));
    return errors;
  });
}
