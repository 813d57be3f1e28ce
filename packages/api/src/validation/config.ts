import { FieldPath } from '../errors.js';
import type * as core from '../gen/core-v1.js';
import { byteLength, configKeyErrors } from '../names.js';
import {
  complain,
  type FieldErrors,
  forbidden,
  immutable,
  invalid,
  required,
  type Rules,
  semanticEqual,
  tooLong,
} from './common.js';

/** Of the values of one ConfigMap or Secret together. */
const maxBytes = 1024 * 1024;
const data = FieldPath.of('data');
const binaryData = FieldPath.of('binaryData');

/** The length of what base64 stands for. */
function decodedLength(base64: string): number {
  return Math.floor((base64.replace(/=+$/, '').length * 3) / 4);
}

function validateConfigMap(map: core.ConfigMap): FieldErrors {
  const errors: FieldErrors = [];
  let bytes = 0;
  for (const [key, value] of Object.entries(map.data ?? {})) {
    errors.push(...complain(data.key(key), key, configKeyErrors(key)));
    if (map.binaryData && Object.hasOwn(map.binaryData, key)) {
      errors.push(invalid(data.key(key), key, 'duplicate of key present in binaryData'));
    }
    bytes += byteLength(value);
  }
  for (const [key, value] of Object.entries(map.binaryData ?? {})) {
    errors.push(...complain(binaryData.key(key), key, configKeyErrors(key)));
    bytes += decodedLength(value);
  }
  if (bytes > maxBytes) errors.push(tooLong('', maxBytes));
  return errors;
}

interface Sealable {
  immutable?: boolean;
  data?: Record<string, string>;
  binaryData?: Record<string, string>;
}

function validateSeal(now: Sealable, before: Sealable): FieldErrors {
  if (!before.immutable) return [];
  const message = 'field is immutable when `immutable` is set';
  const errors = now.immutable ? [] : [forbidden(FieldPath.of('immutable'), message)];
  if (!semanticEqual(now.data, before.data)) errors.push(forbidden(data, message));
  if (!semanticEqual(now.binaryData, before.binaryData)) errors.push(forbidden(binaryData, message));
  return errors;
}

export const configMapRules: Rules = {
  create: validateConfigMap,
  update: (map: core.ConfigMap, old: core.ConfigMap) => [...validateSeal(map, old), ...validateConfigMap(map)],
};

function validateSecret(secret: core.Secret): FieldErrors {
  const errors: FieldErrors = [];
  let bytes = 0;
  for (const [key, value] of Object.entries(secret.data ?? {})) {
    errors.push(...complain(data.key(key), key, configKeyErrors(key)));
    bytes += decodedLength(value);
  }
  if (bytes > maxBytes) errors.push(tooLong(data, maxBytes));
  return [...errors, ...validateSecretType(secret)];
}

function validateSecretType(secret: core.Secret): FieldErrors {
  const has = (key: string): boolean => Object.hasOwn(secret.data ?? {}, key);
  const missing = (...keys: string[]): FieldErrors => keys.filter((k) => !has(k)).map((k) => required(data.key(k)));
  switch (secret.type) {
    case 'kubernetes.io/service-account-token': {
      const key = 'kubernetes.io/service-account.name';
      return secret.metadata.annotations?.[key] ? [] : [required(FieldPath.of('metadata', 'annotations').key(key))];
    }
    case 'kubernetes.io/dockercfg':
      return has('.dockercfg') ? validateJson(secret, '.dockercfg') : missing('.dockercfg');
    case 'kubernetes.io/dockerconfigjson':
      return has('.dockerconfigjson') ? validateJson(secret, '.dockerconfigjson') : missing('.dockerconfigjson');
    case 'kubernetes.io/basic-auth':
      return has('username') || has('password') ? [] : missing('username', 'password');
    case 'kubernetes.io/ssh-auth':
      return secret.data?.['ssh-privatekey'] ? [] : [required(data.key('ssh-privatekey'))];
    case 'kubernetes.io/tls':
      return missing('tls.crt', 'tls.key');
    default:
      return [];
  }
}

function validateJson(secret: core.Secret, key: string): FieldErrors {
  try {
    JSON.parse(Buffer.from(secret.data![key]!, 'base64').toString());
    return [];
  } catch (error) {
    return [invalid(data.key(key), '<secret contents redacted>', (error as SyntaxError).message)];
  }
}

export const secretRules: Rules = {
  create: validateSecret,
  update: (secret: core.Secret, old: core.Secret) => [
    ...immutable(FieldPath.of('type'), secret.type, old.type),
    ...validateSeal(secret, old),
    ...validateSecret(secret),
  ],
};
