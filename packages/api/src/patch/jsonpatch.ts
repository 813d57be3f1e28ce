import type { JsonObject, JsonValue } from '../schema/json.js';
import { badRequest, failure, type StatusError, tooLarge } from '../status.js';
import { cloneJson, isObject, jsonEqual, setMember } from './json.js';

const maxOperations = 10_000;

/** Upstream's answer to a patch that is well formed but does not fit the document. */
export function unprocessable(message: string): StatusError {
  return failure('Invalid', 'the server rejected our request due to an error in our request', {
    causes: [{ reason: 'UnexpectedServerResponse', message }],
  });
}

interface Operation {
  op: string;
  path: string;
  from?: string;
  value?: JsonValue;
}

/**
 * JSON Patch (RFC 6902): a new document; `doc` stays untouched. Throws StatusError: BadRequest if the patch is
 * malformed, Invalid (422) if it does not apply, RequestEntityTooLarge beyond 10,000 operations.
 */
export function applyJsonPatch(doc: JsonValue, patch: JsonValue): JsonValue {
  const operations = readOperations(patch);
  let root: JsonValue = cloneJson(doc);
  for (const operation of operations) root = apply(root, operation);
  return root;
}

function readOperations(patch: JsonValue): Operation[] {
  if (!Array.isArray(patch)) throw badRequest('json: cannot unmarshal object into Go value of type jsonpatch.Patch');
  if (patch.length > maxOperations) {
    throw tooLarge(`The allowed maximum operations in a JSON patch is ${maxOperations}, got ${patch.length}`);
  }
  return patch.map((entry) => {
    if (!isObject(entry)) throw badRequest('a JSON patch operation must be an object');
    const { op, path, from } = entry;
    if (typeof op !== 'string') throw unprocessable('a JSON patch operation needs a string "op"');
    if (typeof path !== 'string') throw unprocessable(`${op} operation needs a string "path"`);
    if ((op === 'move' || op === 'copy') && typeof from !== 'string') {
      throw unprocessable(`${op} operation needs a string "from"`);
    }
    const operation: Operation = { op, path };
    if (typeof from === 'string') operation.from = from;
    if (Object.hasOwn(entry, 'value')) operation.value = entry['value']!;
    else if (op === 'add' || op === 'replace') throw unprocessable(`${op} operation needs a "value"`);
    return operation;
  });
}

function apply(root: JsonValue, { op, path, from, value }: Operation): JsonValue {
  switch (op) {
    case 'add':
      return add(root, path, cloneJson(value!));
    case 'remove':
      return remove(root, path, op);
    case 'replace':
      if (path === '') return cloneJson(value!);
      return replace(root, path, cloneJson(value!));
    case 'move': {
      if (path.startsWith(`${from!}/`)) throw unprocessable(`move operation cannot move ${from} into itself`);
      const moved = read(root, from!, op);
      return add(remove(root, from!, op), path, moved);
    }
    case 'copy':
      return add(root, path, cloneJson(read(root, from!, op)));
    case 'test':
      if (jsonEqual(probe(root, path) ?? null, value ?? null)) return root;
      throw unprocessable(`testing value ${path} failed: test failed`);
    default:
      throw unprocessable(`Unexpected kind: ${op}`);
  }
}

/** The reference tokens of a JSON pointer (RFC 6901). */
function pointer(path: string): string[] {
  if (path === '') return [];
  if (!path.startsWith('/')) throw unprocessable(`JSON pointer ${JSON.stringify(path)} must start with "/"`);
  return path
    .slice(1)
    .split('/')
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function memberOf(parent: JsonValue | undefined, token: string): JsonValue | undefined {
  if (Array.isArray(parent)) return /^(0|[1-9]\d*)$/.test(token) ? parent[Number(token)] : undefined;
  return isObject(parent) && Object.hasOwn(parent, token) ? parent[token] : undefined;
}

function probe(root: JsonValue, path: string): JsonValue | undefined {
  let value: JsonValue | undefined = root;
  for (const token of pointer(path)) value = memberOf(value, token);
  return value;
}

function read(root: JsonValue, path: string, op: string): JsonValue {
  const value = probe(root, path);
  if (value === undefined) throw missing(op, path);
  return value;
}

const missing = (op: string, path: string): StatusError =>
  unprocessable(`${op} operation does not apply: doc is missing path: ${path}: missing value`);

/** The object or array that holds the last token of `path`. */
function parentOf(root: JsonValue, tokens: readonly string[], op: string, path: string): JsonObject | JsonValue[] {
  let value: JsonValue | undefined = root;
  for (const token of tokens.slice(0, -1)) value = memberOf(value, token);
  if (Array.isArray(value) || isObject(value)) return value;
  throw missing(op, path);
}

function arrayIndex(array: readonly JsonValue[], token: string, limit: number, op: string): number {
  if (token === '-' && op === 'add') return array.length;
  const index = /^(0|[1-9]\d*)$/.test(token) ? Number(token) : Number.NaN;
  if (!(index < limit)) {
    throw unprocessable(`${op} operation does not apply: index ${token} is out of bounds: invalid index referenced`);
  }
  return index;
}

function add(root: JsonValue, path: string, value: JsonValue): JsonValue {
  const tokens = pointer(path);
  if (tokens.length === 0) return value;
  const parent = parentOf(root, tokens, 'add', path);
  const last = tokens.at(-1)!;
  if (Array.isArray(parent)) parent.splice(arrayIndex(parent, last, parent.length + 1, 'add'), 0, value);
  else setMember(parent, last, value);
  return root;
}

function replace(root: JsonValue, path: string, value: JsonValue): JsonValue {
  const tokens = pointer(path);
  const parent = parentOf(root, tokens, 'replace', path);
  const last = tokens.at(-1)!;
  if (Array.isArray(parent)) parent[arrayIndex(parent, last, parent.length, 'replace')] = value;
  else if (Object.hasOwn(parent, last)) setMember(parent, last, value);
  else throw missing('replace', path);
  return root;
}

function remove(root: JsonValue, path: string, op: string): JsonValue {
  const tokens = pointer(path);
  if (tokens.length === 0) return null;
  const parent = parentOf(root, tokens, op, path);
  const last = tokens.at(-1)!;
  if (Array.isArray(parent)) parent.splice(arrayIndex(parent, last, parent.length, op), 1);
  else if (Object.hasOwn(parent, last)) delete parent[last];
  else throw missing(op, path);
  return root;
}
