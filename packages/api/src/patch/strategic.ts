import type { JsonObject, JsonValue } from '../schema/json.js';
import type { FieldSchema, MessageSchema } from '../schema/types.js';
import { badRequest } from '../status.js';
import { cloneJson, isObject, setMember } from './json.js';
import { unprocessable } from './jsonpatch.js';
import { interleave, isPresentIn, orderLike, sameItem } from './order.js';

/**
 * Strategic merge patch as upstream's `StrategicMergeMapPatch`, driven by the schema's merge keys and strategies.
 *
 * Directives: `$patch: replace | delete | merge`, `$retainKeys`, `$setElementOrder/<list>`,
 * `$deleteFromPrimitiveList/<list>`. Fields that the schema does not know merge as plain JSON: maps by key, lists whole.
 */

const directive = '$patch';
const retainKeys = '$retainKeys';
const setElementOrder = '$setElementOrder/';
const deleteFromPrimitives = '$deleteFromPrimitiveList/';

/** How one field merges, and what is known of the fields below it. */
interface Strategy {
  readonly typeName: string;
  readonly replace: boolean;
  readonly merge: boolean;
  readonly mergeKey: string | undefined;
  readonly fields: Lookup;
}

type Lookup = (name: string) => Strategy;

const plain: Strategy = { typeName: '', replace: false, merge: false, mergeKey: undefined, fields: () => plain };

/**
 * A new document; `doc` and `patch` stay untouched. Throws StatusError: BadRequest for a malformed patch, Invalid
 * (422) for one that does not fit.
 */
export function applyStrategicMergePatch(schema: MessageSchema, doc: JsonValue, patch: JsonValue): JsonValue {
  if (!isObject(patch)) throw badRequest('json: cannot unmarshal patch into Go value of type map[string]interface {}');
  return mergeMap(isObject(doc) ? cloneJson(doc) : {}, cloneJson(patch), fieldsOfMessage(schema));
}

function fieldsOfMessage(message: MessageSchema | undefined): Lookup {
  return (name) => strategyOf(message?.properties.get(name));
}

function strategyOf(field: FieldSchema | undefined): Strategy {
  if (!field) return plain;
  const below = fieldsOfMessage(field.message);
  const ofValues: Strategy = { ...plain, typeName: field.message?.name ?? '', fields: below };
  return {
    typeName: field.message?.name ?? field.type,
    replace: field.patchStrategy.includes('replace'),
    merge: field.patchStrategy.includes('merge'),
    mergeKey: field.mergeKey,
    fields: field.cardinality === 'map' ? () => ofValues : below,
  };
}

function mergeMap(original: JsonObject, patch: JsonObject, fields: Lookup): JsonObject {
  if (patch[directive] === 'merge') delete patch[directive];
  if (Object.hasOwn(patch, directive)) return applyDirective(patch);
  applyRetainKeys(original, patch);
  applyElementOrders(original, patch, fields);
  for (const [name, value] of Object.entries(patch)) {
    if (name.startsWith(deleteFromPrimitives)) deletePrimitives(original, name, value);
    else if (value === null) delete original[name];
    else setMember(original, name, mergeField(original, name, value, fields(name)));
  }
  return original;
}

function applyDirective(patch: JsonObject): JsonObject {
  const kind = patch[directive];
  if (kind === 'replace') {
    delete patch[directive];
    return patch;
  }
  if (kind === 'delete') return {};
  throw unprocessable(`unknown patch type: ${JSON.stringify(kind)} in map: ${JSON.stringify(patch)}`);
}

/** A union's other members go: only the keys listed stay. */
function applyRetainKeys(original: JsonObject, patch: JsonObject): void {
  if (!Object.hasOwn(patch, retainKeys)) return;
  const kept = patch[retainKeys];
  delete patch[retainKeys];
  if (!Array.isArray(kept)) throw badRequest('invalid patch format of retainKeys');
  for (const [name, value] of Object.entries(patch)) {
    if (value === null || name.startsWith(deleteFromPrimitives) || name.startsWith(setElementOrder)) continue;
    if (!kept.includes(name)) throw badRequest('invalid patch format of retainKeys');
  }
  for (const name of Object.keys(original)) if (!kept.includes(name)) delete original[name];
}

function deletePrimitives(original: JsonObject, key: string, value: JsonValue): void {
  const name = key.slice(deleteFromPrimitives.length);
  if (!Array.isArray(value)) throw badRequest('invalid patch format of primitive list');
  const list = Object.hasOwn(original, name) ? original[name] : undefined;
  if (Array.isArray(list)) original[name] = list.filter((item) => !value.includes(item));
}

function mergeField(original: JsonObject, name: string, value: JsonValue, strategy: Strategy): JsonValue {
  const before = Object.hasOwn(original, name) ? original[name]! : null;
  if (!strategy.replace && isObject(value) && isObject(before)) return mergeMap(before, value, strategy.fields);
  if (strategy.merge && Array.isArray(value) && Array.isArray(before)) return mergeList(before, value, strategy);
  return withoutDirectives(value);
}

/** What is new is taken as it is, but for nulls in maps and directives, which have nothing to act on. */
function withoutDirectives(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return listWithoutDirectives(value);
  if (!isObject(value)) return value;
  const result: JsonObject = {};
  for (const [name, member] of Object.entries(value)) {
    const isDirective = name === directive || name === retainKeys || name.startsWith(setElementOrder);
    if (isDirective || name.startsWith(deleteFromPrimitives) || member === null) continue;
    setMember(result, name, withoutDirectives(member));
  }
  return result;
}

function listWithoutDirectives(list: readonly JsonValue[]): JsonValue[] {
  return list.filter((item) => !isObject(item) || !Object.hasOwn(item, directive)).map(withoutDirectives);
}

/**
 * `$setElementOrder/<list>` gives the order of the merged list: its own items as it says, items it does not know
 * where they were relative to them. The list is merged here and taken out of the patch.
 */
function applyElementOrders(original: JsonObject, patch: JsonObject, fields: Lookup): void {
  for (const [key, order] of Object.entries(patch)) {
    if (!key.startsWith(setElementOrder)) continue;
    delete patch[key];
    const name = key.slice(setElementOrder.length);
    if (!Array.isArray(order)) throw badRequest('invalid patch format of setElementOrder list');
    const before = listAt(original, name);
    const change = listAt(patch, name);
    if (!before && !change) continue;
    const strategy = fields(name);
    if (change) checkOrder(change, order, strategy.mergeKey);
    const merged = mergeOrdered(before, change, strategy);
    delete patch[name];
    original[name] = arrange(merged, order, before ?? [], strategy.mergeKey);
  }
}

function mergeOrdered(
  before: readonly JsonValue[] | undefined,
  change: readonly JsonValue[] | undefined,
  strategy: Strategy,
): readonly JsonValue[] {
  if (!change) return before ?? [];
  return before && strategy.merge ? mergeList(before, change, strategy) : listWithoutDirectives(change);
}

function listAt(object: JsonObject, name: string): JsonValue[] | undefined {
  const value = Object.hasOwn(object, name) ? object[name] : undefined;
  if (value === undefined || value === null) return undefined;
  if (Array.isArray(value)) return [...value];
  throw unprocessable(`expected a list, but received something else: ${name}`);
}

/** The patch must hold its items in the order that it asks for (upstream's `validatePatchWithSetOrderList`). */
function checkOrder(change: readonly JsonValue[], order: readonly JsonValue[], mergeKey: string | undefined): void {
  let at = 0;
  for (const item of change) {
    if (isObject(item) && item[directive] === 'delete') continue;
    const found = order.findIndex((wanted, i) => i >= at && sameItem(wanted, item, mergeKey));
    if (found < 0) {
      throw unprocessable(
        `The order in patch list:\n${JSON.stringify(change)}\n doesn't match $setElementOrder list:\n${JSON.stringify(order)}\n`,
      );
    }
    at = found + 1;
  }
}

function mergeList(original: readonly JsonValue[], patch: readonly JsonValue[], strategy: Strategy): JsonValue[] {
  if (original.length === 0 && patch.length === 0) return [];
  const first = [...original, ...patch][0]!;
  if ([...original, ...patch].some((item) => Array.isArray(item)))
    throw unprocessable('lists of lists are not supported');
  if (!isObject(first)) {
    const merged = [...new Set([...original, ...patch])];
    return arrange(merged, patch, original, undefined);
  }
  if (strategy.mergeKey === undefined) {
    throw unprocessable(`cannot merge lists without merge key for ${strategy.typeName}`);
  }
  const { base, items } = applyListDirectives(original, patch, strategy.mergeKey);
  return arrange(mergeItems(base, items, strategy.mergeKey, strategy.fields), items, base, strategy.mergeKey);
}

function keyOfItem(item: JsonValue, mergeKey: string): JsonValue {
  const value = isObject(item) && Object.hasOwn(item, mergeKey) ? item[mergeKey] : undefined;
  if (value !== undefined) return value;
  throw unprocessable(`map: ${JSON.stringify(item)} does not contain declared merge key: ${mergeKey}`);
}

/** Takes the items with `$patch` out of the patch and does what they say to the list. */
function applyListDirectives(
  original: readonly JsonValue[],
  patch: readonly JsonValue[],
  mergeKey: string,
): { base: JsonValue[]; items: JsonValue[] } {
  let base = [...original];
  let replace = false;
  const items: JsonValue[] = [];
  for (const item of patch) {
    if (!isObject(item)) throw unprocessable(`expected a map, but received ${JSON.stringify(item)}`);
    const kind = Object.hasOwn(item, directive) ? item[directive]! : undefined;
    if (kind === undefined) items.push(item);
    else if (kind === 'replace') replace = true;
    else if (kind === 'delete') {
      const gone = keyOfItem(item, mergeKey);
      base = base.filter((candidate) => !isObject(candidate) || candidate[mergeKey] !== gone);
    } else if (kind === 'merge') throw badRequest('merging lists cannot yet be specified in the patch');
    else throw unprocessable(`unknown patch type: ${JSON.stringify(kind)} in map: ${JSON.stringify(item)}`);
  }
  return replace ? { base: [], items } : { base, items };
}

function mergeItems(base: JsonValue[], items: readonly JsonValue[], mergeKey: string, fields: Lookup): JsonValue[] {
  const merged = [...base];
  for (const item of items) {
    const key = keyOfItem(item, mergeKey);
    const at = merged.findIndex((candidate) => isObject(candidate) && candidate[mergeKey] === key);
    const before = merged[at];
    if (isObject(before) && isObject(item)) merged[at] = mergeMap({ ...before }, { ...item }, fields);
    else merged.push(withoutDirectives(item));
  }
  return merged;
}

/** The patch's items in the patch's order, the others where they were, interleaved by the server's order. */
function arrange(
  merged: readonly JsonValue[],
  order: readonly JsonValue[],
  serverOrder: readonly JsonValue[],
  mergeKey: string | undefined,
): JsonValue[] {
  const patched = merged.filter((item) => isPresentIn(order, item, mergeKey));
  const serverOnly = merged.filter((item) => !isPresentIn(order, item, mergeKey));
  return interleave(
    orderLike(serverOnly, serverOrder, mergeKey),
    orderLike(patched, order, mergeKey),
    serverOrder,
    mergeKey,
  );
}
