import { NamedError } from '@flotilla/base';
import { isJsonObject, type JsonObject, type JsonValue } from './json.js';
import {
  canonicalAmount,
  canonicalBase64,
  canonicalMicroTime,
  canonicalTime,
  formatNanos,
  parseNanos,
  ScalarError,
} from './scalars.js';
import { assemble, setKey, shapeOf, zeroElement } from './shape.js';
import type { FieldSchema, MessageSchema } from './types.js';

/** JSON that is not of its type. The message is that of Go's decoder, e.g. `json: cannot unmarshal string into Go …`. */
export class JsonDecodeError extends NamedError {
  constructor(message: string, cause?: unknown) {
    super('BadJson', message, { cause });
  }
}

export interface Decoded<T> {
  readonly value: T;
  /** What strict decoding refuses, in upstream's words: `unknown field "spec.foo"`. At most 100 are kept. */
  readonly strictErrors: readonly string[];
}

/** sigs.k8s.io/json stops collecting there. */
const strictLimit = 100;

/**
 * Reads JSON into the canonical form of a type: in order of declaration, unknown fields dropped, empty optional fields
 * gone, structs that are never absent in Go filled in, times and quantities as Go would print them. `null` is absence.
 * Field names are case-sensitive. The result shares nothing mutable with `value` but raw JSON (RawExtension, FieldsV1).
 * Throws JsonDecodeError for the first value of a wrong type.
 */
export function decodeJson<T = JsonObject>(schema: MessageSchema, value: JsonValue): Decoded<T> {
  const run = new Run();
  const decoded = decodeMessage(run, schema, value);
  return { value: decoded as T, strictErrors: run.strictErrors };
}

/** The place that is being decoded, kept as one stack so that only errors pay for texts. */
class Run {
  readonly strictErrors: string[] = [];
  /** Field names, map keys and list positions from the root. */
  readonly path: (string | number)[] = [];
  /** Names of struct fields alone, as Go's type errors give them, and the innermost struct. */
  readonly structFields: string[] = [];
  struct: MessageSchema | undefined;

  unknown(name: string): void {
    if (this.strictErrors.length >= strictLimit) return;
    this.path.push(name);
    this.strictErrors.push(`unknown field ${JSON.stringify(pathText(this.path))}`);
    this.path.pop();
  }

  mismatch(value: JsonValue, goType: string): JsonDecodeError {
    const field = this.structFields.join('.');
    const target = this.struct === undefined ? `value of type` : `struct field ${this.struct.name}.${field} of type`;
    return new JsonDecodeError(`json: cannot unmarshal ${describe(value)} into Go ${target} ${goType}`);
  }
}

/** `spec.containers[0].image`, as in strict decoding errors. */
export function pathText(path: readonly (string | number)[]): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else text += text === '' ? step : `.${step}`;
  }
  return text;
}

function describe(value: JsonValue): string {
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number')
    return Number.isInteger(value) && Math.abs(value) < 2 ** 31 ? 'number' : `number ${value}`;
  return typeof value === 'boolean' ? 'bool' : typeof value;
}

function goTypeOf(field: FieldSchema): string {
  const element = field.message !== undefined ? goName(field.message) : (field.stringType ?? goScalar(field.type));
  if (field.cardinality === 'list') return `[]${element}`;
  return field.cardinality === 'map' ? `map[string]${element}` : element;
}

function goName(schema: MessageSchema): string {
  return schema.schemaName.split('.').slice(-2).join('.');
}

function goScalar(type: string): string {
  return type === 'double' ? 'float64' : type === 'bytes' ? '[]uint8' : type;
}

function decodeMessage(run: Run, schema: MessageSchema, value: JsonValue): JsonValue {
  switch (schema.form) {
    case 'struct':
      return decodeStruct(run, schema, value);
    case 'list':
      return decodeList(run, schema.fields[0]!, value);
    case 'json':
      return value;
    case 'intOrString':
      return decodeIntOrString(run, value);
    case 'quantity':
      return scalar(() => canonicalAmount(typeof value === 'string' ? value : JSON.stringify(value)));
    case 'time':
      return decodeText(run, value, canonicalTime);
    case 'microTime':
      return decodeText(run, value, canonicalMicroTime);
    case 'duration':
      return decodeText(run, value, (text) => formatNanos(parseNanos(text)));
  }
}

function decodeStruct(run: Run, schema: MessageSchema, value: JsonValue): JsonValue {
  if (schema.custom && !isJsonObject(value)) return value;
  if (!isJsonObject(value)) throw run.mismatch(value, goName(schema));
  const shape = shapeOf(schema);
  const values: (JsonValue | undefined)[] = [];
  const extra: JsonObject = {};
  const outer = run.struct;
  run.struct = schema;
  for (const name in value) {
    const at = shape.index.get(name);
    if (at === undefined) {
      if (schema.preserveUnknown) setKey(extra, name, value[name]!);
      else run.unknown(name);
      continue;
    }
    const raw = value[name]!;
    // undefined: an object that was built in code.
    if (raw === null || raw === undefined) continue;
    run.path.push(name);
    run.structFields.push(name);
    values[at] = decodeField(run, schema, shape.fields[at]!, raw);
    run.structFields.pop();
    run.path.pop();
  }
  run.struct = outer;
  const object = assemble(schema, shape, values);
  return schema.preserveUnknown ? Object.assign(object, extra) : object;
}

function decodeField(run: Run, owner: MessageSchema, field: FieldSchema, value: JsonValue): JsonValue {
  if (owner.custom) return decodeCustom(run, field, value);
  if (field.cardinality === 'list') return decodeList(run, field, value);
  if (field.cardinality === 'map') return decodeMap(run, field, value);
  return decodeOne(run, field, value);
}

function decodeList(run: Run, field: FieldSchema, value: JsonValue): JsonValue {
  if (!Array.isArray(value)) throw run.mismatch(value, goTypeOf(field));
  const list: JsonValue[] = [];
  for (let i = 0; i < value.length; i++) {
    run.path.push(i);
    list.push(decodeElement(run, field, value[i]!));
    run.path.pop();
  }
  return list;
}

function decodeMap(run: Run, field: FieldSchema, value: JsonValue): JsonValue {
  if (!isJsonObject(value)) throw run.mismatch(value, goTypeOf(field));
  const map: JsonObject = {};
  for (const key in value) {
    run.path.push(key);
    setKey(map, key, decodeElement(run, field, value[key]!));
    run.path.pop();
  }
  return map;
}

/** In a list or a map, null is the element's zero value. */
function decodeElement(run: Run, field: FieldSchema, value: JsonValue): JsonValue {
  if (value !== null) return decodeOne(run, field, value);
  return zeroElement(field);
}

function decodeOne(run: Run, field: FieldSchema, value: JsonValue): JsonValue {
  switch (field.type) {
    case 'message':
      return decodeMessage(run, field.message!, value);
    case 'string':
      if (typeof value !== 'string') throw run.mismatch(value, field.stringType ?? 'string');
      return value;
    case 'bool':
      if (typeof value !== 'boolean') throw run.mismatch(value, 'bool');
      return value;
    case 'int32':
      if (typeof value !== 'number' || (value | 0) !== value) throw run.mismatch(value, 'int32');
      return value;
    case 'int64':
      if (typeof value !== 'number' || !Number.isInteger(value)) throw run.mismatch(value, 'int64');
      return value;
    case 'double':
      if (typeof value !== 'number') throw run.mismatch(value, 'float64');
      return value;
    case 'bytes':
      if (typeof value !== 'string') throw run.mismatch(value, '[]uint8');
      return scalar(() => canonicalBase64(value));
  }
}

/** Custom resources are not Go structs upstream: types are validation's business, here only unknown fields go. */
function decodeCustom(run: Run, field: FieldSchema, value: JsonValue): JsonValue {
  const message = field.message;
  if (message === undefined || (message.form !== 'struct' && message.form !== 'list')) return value;
  if (field.cardinality === 'list') return Array.isArray(value) ? decodeList(run, field, value) : value;
  if (field.cardinality === 'map') return isJsonObject(value) ? decodeMap(run, field, value) : value;
  return decodeMessage(run, message, value);
}

function decodeIntOrString(run: Run, value: JsonValue): JsonValue {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' && (value | 0) === value) return value;
  throw run.mismatch(value, 'int32');
}

function decodeText(run: Run, value: JsonValue, canonical: (text: string) => string): string {
  if (typeof value === 'string') return scalar(() => canonical(value));
  throw run.mismatch(value, 'string');
}

function scalar(read: () => string): string {
  try {
    return read();
  } catch (error) {
    if (error instanceof ScalarError) throw new JsonDecodeError(error.message, error);
    throw error;
  }
}
