import { setDefaults } from '../defaults/index.js';
import type { FieldError } from '../errors.js';
import type { KubeObject, ResourceInfo } from '../resources.js';
import { decodeJson } from '../schema/decode-json.js';
import type { JsonObject } from '../schema/json.js';
import { validateCreate } from './index.js';

const uid = { uid: 'u', creationTimestamp: '2024-01-01T00:00:00Z' };

/** As the API server does: decoded, defaulted, with what the server sets. */
export function made<T extends KubeObject>(info: ResourceInfo<T>, json: JsonObject): T {
  const metadata = { name: 'x', ...(info.namespaced ? { namespace: 'default' } : {}), ...uid };
  const own = (json['metadata'] ?? {}) as JsonObject;
  const { value } = decodeJson<T>(info.schema, { ...json, metadata: { ...metadata, ...own } });
  setDefaults(info, value);
  return value;
}

export const texts = (errors: readonly FieldError[]): string[] => errors.map(String);
/** What is wrong with a new object, as texts. */
export const create = <T extends KubeObject>(info: ResourceInfo<T>, json: JsonObject): string[] =>
  texts(validateCreate(info, made(info, json)));
