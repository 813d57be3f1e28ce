import type { JsonValue } from '../schema/json.js';
import { isObject } from './json.js';

/** The order of merged lists in strategic merge patches. Items are the same by value, or by their merge key. */

export function sameItem(a: JsonValue, b: JsonValue, mergeKey: string | undefined): boolean {
  if (mergeKey === undefined) return a === b;
  return isObject(a) && isObject(b) && Object.hasOwn(a, mergeKey) && a[mergeKey] === b[mergeKey];
}

function indexIn(list: readonly JsonValue[], item: JsonValue, mergeKey: string | undefined): number {
  return list.findIndex((other) => sameItem(other, item, mergeKey));
}

export function isPresentIn(list: readonly JsonValue[], item: JsonValue, mergeKey: string | undefined): boolean {
  return indexIn(list, item, mergeKey) >= 0;
}

/** `items` in the order in which `order` names them (upstream's `normalizeSliceOrder`). */
export function orderLike(
  items: readonly JsonValue[],
  order: readonly JsonValue[],
  mergeKey: string | undefined,
): JsonValue[] {
  const rank = (item: JsonValue): number => {
    const at = indexIn(order, item, mergeKey);
    return at < 0 ? order.length : at;
  };
  return items
    .map((item) => ({ item, rank: rank(item) }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ item }) => item);
}

/**
 * Merges two ordered lists without common items: an item of `left` goes first only if the server's list has both and
 * has it first (upstream's `mergeSortedSlice`). So new items of the patch come before items only the server knows.
 */
export function interleave(
  left: readonly JsonValue[],
  right: readonly JsonValue[],
  serverOrder: readonly JsonValue[],
  mergeKey: string | undefined,
): JsonValue[] {
  const result: JsonValue[] = [];
  let [i, j] = [0, 0];
  while (i < left.length && j < right.length) {
    const l = indexIn(serverOrder, left[i]!, mergeKey);
    const r = indexIn(serverOrder, right[j]!, mergeKey);
    if (l >= 0 && r >= 0 && l < r) result.push(left[i++]!);
    else result.push(right[j++]!);
  }
  return [...result, ...left.slice(i), ...right.slice(j)];
}
