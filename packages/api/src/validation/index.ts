import type { KubeObject } from '../resources.js';
import type { FieldErrors, Rules } from './common.js';
import { validateMetadata, validateMetadataUpdate } from './metadata.js';

interface KindInfo {
  readonly group: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

const rules: Record<string, Rules> = {};

const noRules: Rules = {};

function rulesOf(info: KindInfo): Rules {
  const key = `${info.group}/${info.kind}`;
  return Object.hasOwn(rules, key) ? rules[key]! : noRules;
}

/** All mistakes in an object to be created, defaults filled in and a generated name already set. */
export function validateCreate(info: KindInfo, object: KubeObject): FieldErrors {
  const { name, create } = rulesOf(info);
  return [...validateMetadata(object.metadata, info.namespaced, name), ...(create?.(object) ?? [])];
}

/** All mistakes in an object that shall replace `old`. */
export function validateUpdate(info: KindInfo, object: KubeObject, old: KubeObject): FieldErrors {
  const { update, create } = rulesOf(info);
  const errors = validateMetadataUpdate(object.metadata, old.metadata);
  return [...errors, ...(update ? update(object, old) : (create?.(object) ?? []))];
}

/** All mistakes in an object whose status alone shall replace that of `old`. */
export function validateStatusUpdate(info: KindInfo, object: KubeObject, old: KubeObject): FieldErrors {
  return [...validateMetadataUpdate(object.metadata, old.metadata), ...(rulesOf(info).status?.(object, old) ?? [])];
}
