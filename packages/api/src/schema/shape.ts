import type { JsonObject, JsonValue } from './json.js';
import type { FieldSchema, MessageSchema } from './types.js';

/**
 * A message as the codecs walk it: its JSON fields by position. Decoded values are gathered by position and then put
 * together in the order of declaration, whatever order they came in.
 */
export interface Shape {
  readonly fields: readonly FieldSchema[];
  readonly index: ReadonlyMap<string, number>;
  /** Per field, whether an object without it gets its zero value: the field is never absent in Go. */
  readonly filled: readonly boolean[];
}

const shapes = new WeakMap<MessageSchema, Shape>();

export function shapeOf(schema: MessageSchema): Shape {
  let shape = shapes.get(schema);
  if (shape === undefined) {
    const fields = [...schema.properties.values()];
    const index = new Map(fields.map((field, i) => [field.name, i]));
    shape = { fields, index, filled: fields.map((field) => isFilled(field, schema.custom)) };
    shapes.set(schema, shape);
  }
  return shape;
}

/**
 * Mirrors isPresent in generate.mjs: what the TypeScript type calls required, a decoded object has. Only required
 * pointers, times and JSON values stay absent; validation refuses those.
 */
function isFilled(field: FieldSchema, custom: boolean): boolean {
  if (field.cardinality !== 'single') return field.always && !custom;
  if (field.pointer) return false;
  switch (field.message?.form) {
    case undefined:
      return field.always;
    case 'struct':
    case 'quantity':
    case 'intOrString':
      return !field.omitZero;
    default:
      return false;
  }
}

/** What Go's zero value of the field looks like. */
export function zeroOf(field: FieldSchema): JsonValue {
  if (field.cardinality === 'list') return [];
  return field.cardinality === 'map' ? {} : zeroElement(field);
}

/** The zero value of one item of a list or of one value of a map. */
export function zeroElement(field: FieldSchema): JsonValue {
  switch (field.type) {
    case 'bool':
      return false;
    case 'string':
    case 'bytes':
      return '';
    case 'message':
      return zeroOfMessage(field.message!);
    default:
      return 0;
  }
}

function zeroOfMessage(schema: MessageSchema): JsonValue {
  switch (schema.form) {
    case 'struct':
      return assemble(schema, shapeOf(schema), []);
    case 'list':
      return [];
    case 'quantity':
      return '0';
    case 'intOrString':
      return 0;
    case 'duration':
      return '0s';
    default:
      return null;
  }
}

/** True for what Go's `omitempty` leaves out: zero values of what is not a pointer, empty lists and maps. */
function isEmpty(field: FieldSchema, value: JsonValue): boolean {
  if (value === null) return true;
  if (typeof value === 'object') {
    if (Array.isArray(value)) return value.length === 0;
    if (field.cardinality !== 'map') return false;
    for (const _key in value) return false;
    return true;
  }
  return !field.pointer && field.type !== 'message' && (value === '' || value === 0 || value === false);
}

/** Puts an object together from values by position: what is empty goes, what is never absent comes. */
export function assemble(schema: MessageSchema, shape: Shape, values: readonly (JsonValue | undefined)[]): JsonObject {
  const object: JsonObject = {};
  const { fields, filled } = shape;
  for (let i = 0; i < fields.length; i++) {
    const value = values[i];
    if (value === undefined || value === null) {
      if (filled[i]) object[fields[i]!.name] = zeroOf(fields[i]!);
    } else if (filled[i] || schema.custom || fields[i]!.always || !isEmpty(fields[i]!, value)) {
      object[fields[i]!.name] = value;
    }
  }
  return object;
}

/** Sets a member even if it is called `__proto__`. */
export function setKey(object: JsonObject, key: string, value: JsonValue): void {
  if (key !== '__proto__') object[key] = value;
  else Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
}
