import type { JsonValue } from '../schema/json.js';
import { cloneJson, isObject, jsonEqual, setMember } from './json.js';

/** JSON Merge Patch (RFC 7386): a new document; `doc` and `patch` stay untouched. */
export function applyMergePatch(doc: JsonValue, patch: JsonValue): JsonValue {
  if (!isObject(patch)) return cloneJson(patch);
  const result = isObject(doc) ? { ...doc } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else setMember(result, key, applyMergePatch(Object.hasOwn(result, key) ? result[key]! : null, value));
  }
  return result;
}

/** The merge patch that turns `from` into `to`. It cannot express a `null` that `to` holds in an object. */
export function createMergePatch(from: JsonValue, to: JsonValue): JsonValue {
  if (!isObject(from) || !isObject(to)) return cloneJson(to);
  const patch: { [key: string]: JsonValue } = {};
  for (const key of Object.keys(from)) if (!Object.hasOwn(to, key)) setMember(patch, key, null);
  for (const [key, value] of Object.entries(to)) {
    const before = Object.hasOwn(from, key) ? from[key] : undefined;
    if (before === undefined) setMember(patch, key, cloneJson(value));
    else if (isObject(before) && isObject(value)) {
      const inner = createMergePatch(before, value);
      if (isObject(inner) && Object.keys(inner).length > 0) setMember(patch, key, inner);
    } else if (!jsonEqual(before, value)) setMember(patch, key, cloneJson(value));
  }
  return patch;
}
