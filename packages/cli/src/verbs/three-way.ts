import { fieldOf, isJsonObject, type JsonObject, type JsonValue, patchRuleOf, type ResourceInfo } from '@flotilla/api';
import { sorted } from './output.js';

type Schema = ResourceInfo['schema'];

const same = (a: JsonValue | undefined, b: JsonValue | undefined): boolean =>
  a === b || (a !== undefined && b !== undefined && JSON.stringify(sorted(a)) === JSON.stringify(sorted(b)));

/**
 * The patch that `kubectl apply` would send: sets what `modified` has and `current` has not, removes what `original`
 * (what was applied last) had and `modified` has not, and leaves alone what others added. Empty if nothing is to do.
 * With a schema it is a strategic merge patch (`strategicpatch.CreateThreeWayMergePatch`): lists with a merge key are
 * patched item by item; without one a JSON merge patch (`jsonmergepatch`), in which lists are replaced.
 */
export function threeWayPatch(
  original: JsonObject,
  modified: JsonObject,
  current: JsonObject,
  schema: Schema | undefined,
): JsonObject {
  const patch: JsonObject = {};
  for (const name of Object.keys(original)) {
    if (!Object.hasOwn(modified, name) && Object.hasOwn(current, name)) patch[name] = null;
  }
  for (const [name, value] of Object.entries(modified)) {
    const now = current[name];
    // In YAML a field without a value is null: asks for its removal, as upstream has it.
    if (value === null) {
      if (now !== undefined && now !== null) patch[name] = null;
      continue;
    }
    const before = original[name];
    if (isJsonObject(value) && isJsonObject(now)) {
      setObject(patch, name, { before: isJsonObject(before) ? before : {}, value, now }, schema);
    } else if (Array.isArray(value) && Array.isArray(now)) {
      setList(patch, name, { before: Array.isArray(before) ? before : [], value, now }, schema);
    } else if (!same(value, now)) {
      patch[name] = value;
    }
  }
  return patch;
}

interface Versions<T> {
  before: T;
  value: T;
  now: T;
}

function setObject(patch: JsonObject, name: string, versions: Versions<JsonObject>, schema: Schema | undefined): void {
  const { before, value, now } = versions;
  const rule = patchRuleOf(schema, name);
  // The keys of a map are not fields of its values' message.
  const below = fieldOf(schema, name)?.cardinality === 'map' ? undefined : rule.message;
  const inner = threeWayPatch(before, value, now, below);
  if (Object.keys(inner).length === 0) return;
  patch[name] = rule.retainKeys ? { ...inner, $retainKeys: Object.keys(value).sort() } : inner;
}

function setList(patch: JsonObject, name: string, versions: Versions<JsonValue[]>, schema: Schema | undefined): void {
  const { value, now } = versions;
  const rule = patchRuleOf(schema, name);
  if (!rule.merge) {
    if (!same(value, now)) patch[name] = value;
  } else if (rule.mergeKey === undefined) {
    setScalars(patch, name, versions);
  } else {
    setItems(patch, name, rule.mergeKey, versions, rule.message);
  }
}

/** A list of scalars that is a set, such as finalizers. */
function setScalars(patch: JsonObject, name: string, { before, value, now }: Versions<JsonValue[]>): void {
  const added = value.filter((each) => !now.includes(each));
  const removed = before.filter((each) => !value.includes(each) && now.includes(each));
  if (removed.length > 0) patch[`$deleteFromPrimitiveList/${name}`] = removed;
  if (added.length > 0) patch[name] = added;
  if (added.length > 0 || removed.length > 0) patch[`$setElementOrder/${name}`] = value;
}

function setItems(
  patch: JsonObject,
  name: string,
  mergeKey: string,
  { before, value, now }: Versions<JsonValue[]>,
  schema: Schema | undefined,
): void {
  const find = (list: JsonValue[], key: JsonValue | undefined): JsonObject | undefined =>
    list.filter(isJsonObject).find((item) => same(item[mergeKey], key));
  const items: JsonObject[] = [];
  for (const item of value.filter(isJsonObject)) {
    const key = item[mergeKey];
    const there = find(now, key);
    if (!there) items.push(item);
    else {
      const inner = threeWayPatch(find(before, key) ?? {}, item, there, schema);
      if (Object.keys(inner).length > 0) items.push({ ...inner, [mergeKey]: key ?? null });
    }
  }
  for (const item of before.filter(isJsonObject)) {
    const key = item[mergeKey];
    if (!find(value, key) && find(now, key)) items.push({ $patch: 'delete', [mergeKey]: key ?? null });
  }
  const keys = value.filter(isJsonObject).map((item) => item[mergeKey]);
  const kept = now.filter(isJsonObject).map((item) => item[mergeKey]);
  const order = kept.filter((key) => keys.some((each) => same(each, key)));
  const moved = !same(order as JsonValue, keys.filter((key) => order.some((each) => same(each, key))) as JsonValue);
  if (items.length === 0 && !moved) return;
  if (items.length > 0) patch[name] = items;
  patch[`$setElementOrder/${name}`] = keys.map((key) => ({ [mergeKey]: key ?? null }));
}
