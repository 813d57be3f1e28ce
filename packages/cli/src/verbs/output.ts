import { isJsonObject, type JsonObject, type JsonValue } from '@flotilla/api';

/** The same value with every object's members in order, as Go's encoders write maps. */
export function sorted(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isJsonObject(value)) return value;
  const names = Object.keys(value).sort();
  return Object.fromEntries(names.map((name) => [name, sorted(value[name]!)]));
}

/** Without what only server-side apply reads, as kubectl shows objects. */
function shown(object: JsonValue): JsonValue {
  if (!isJsonObject(object) || !isJsonObject(object.metadata)) return object;
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}

/** One object, or several as a `List`. */
export function listOf(objects: JsonObject[]): JsonObject {
  return { apiVersion: 'v1', kind: 'List', metadata: { resourceVersion: '' }, items: objects };
}

const prepared = (value: JsonObject): JsonValue => {
  const { items } = value;
  return sorted(value.kind === 'List' && Array.isArray(items) ? { ...value, items: items.map(shown) } : shown(value));
};

export const asJson = (value: JsonObject): string => JSON.stringify(prepared(value), null, 4);

/** Texts that YAML 1.1 would read as something else are quoted, as Go's encoder does. */
export async function asYaml(value: JsonObject): Promise<string> {
  const { stringify } = await import('yaml');
  return stringify(prepared(value), {
    version: '1.1',
    indentSeq: false,
    lineWidth: 0,
    aliasDuplicateObjects: false,
  }).trimEnd();
}
