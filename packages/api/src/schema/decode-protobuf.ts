import type { JsonObject, JsonValue } from './json.js';
import { BYTES, ProtobufError, ProtobufReader } from './protobuf-reader.js';
import { canonicalAmount, formatMicros, formatNanos, formatSeconds, ScalarError } from './scalars.js';
import { assemble, setKey, type Shape, shapeOf, zeroElement } from './shape.js';
import type { FieldSchema, MessageSchema } from './types.js';

/**
 * Reads one message (without envelope) into the canonical form that decodeJson gives too. Unknown fields are skipped, as
 * protobuf has it. Throws ProtobufError.
 */
export function decodeProtobuf<T = JsonObject>(schema: MessageSchema, bytes: Uint8Array): T {
  return readMessage(schema, new ProtobufReader(bytes)) as T;
}

interface Slot {
  readonly field: FieldSchema;
  /** Where the value belongs in the shape; -1 for an inlined message. */
  readonly at: number;
}

/** Fields by number, for each message with the positions that its values have in the outermost JSON object. */
const slotMaps = new WeakMap<Shape, WeakMap<MessageSchema, Map<number, Slot>>>();

function slotsOf(shape: Shape, schema: MessageSchema): Map<number, Slot> {
  let bySchema = slotMaps.get(shape);
  if (bySchema === undefined) slotMaps.set(shape, (bySchema = new WeakMap()));
  let slots = bySchema.get(schema);
  if (slots === undefined) {
    slots = new Map();
    for (const field of schema.fields) {
      slots.set(field.number, { field, at: field.inline ? -1 : (shape.index.get(field.name) ?? -1) });
    }
    bySchema.set(schema, slots);
  }
  return slots;
}

function readMessage(schema: MessageSchema, reader: ProtobufReader): JsonValue {
  switch (schema.form) {
    case 'struct': {
      const shape = shapeOf(schema);
      const values: (JsonValue | undefined)[] = [];
      readFields(shape, schema, reader, values);
      return assemble(schema, shape, values);
    }
    case 'list':
      return readNamedList(schema, reader);
    case 'json':
      return readRaw(reader);
    case 'intOrString':
      return readIntOrString(reader);
    case 'quantity':
      return readQuantity(reader);
    case 'time':
    case 'microTime':
      return readTime(schema.form, reader);
    case 'duration':
      return readDuration(reader);
  }
}

function readFields(
  shape: Shape,
  schema: MessageSchema,
  reader: ProtobufReader,
  values: (JsonValue | undefined)[],
): void {
  const slots = slotsOf(shape, schema);
  while (!reader.done) {
    const tag = reader.tag();
    const slot = slots.get(tag >>> 3);
    if (slot === undefined) reader.skip(tag);
    else if (slot.field.inline) readFields(shape, slot.field.message!, reader.nested(), values);
    else readField(slot, tag, reader, values);
  }
}

function readField({ field, at }: Slot, tag: number, reader: ProtobufReader, values: (JsonValue | undefined)[]): void {
  if (field.cardinality === 'map') {
    const map = (values[at] ??= {}) as JsonObject;
    readEntry(field, reader.nested(), map);
  } else if (field.cardinality === 'list') {
    const list = (values[at] ??= []) as JsonValue[];
    if ((tag & 7) === BYTES && isPackable(field)) {
      for (const packed = reader.nested(); !packed.done; ) list.push(readOne(field, packed));
    } else list.push(readOne(field, reader));
  } else {
    values[at] = readOne(field, reader);
  }
}

function isPackable(field: FieldSchema): boolean {
  return field.type !== 'string' && field.type !== 'bytes' && field.type !== 'message';
}

function readEntry(field: FieldSchema, reader: ProtobufReader, map: JsonObject): void {
  let key = '';
  let value: JsonValue | undefined;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag >>> 3 === 1) key = reader.string();
    else if (tag >>> 3 === 2) value = readOne(field, reader);
    else reader.skip(tag);
  }
  setKey(map, key, value ?? zeroElement(field));
}

function readOne(field: FieldSchema, reader: ProtobufReader): JsonValue {
  switch (field.type) {
    case 'string':
      return reader.string();
    case 'bool':
      return reader.bool();
    case 'int32':
      return reader.int32();
    case 'int64':
      return reader.int64();
    case 'double':
      return reader.double();
    case 'bytes':
      return reader.bytes().toString('base64');
    case 'message':
      return readMessage(field.message!, reader.nested());
  }
}

function readNamedList(schema: MessageSchema, reader: ProtobufReader): JsonValue {
  const items = schema.fields[0]!;
  const list: JsonValue[] = [];
  while (!reader.done) {
    const tag = reader.tag();
    if (tag >>> 3 === items.number) list.push(readOne(items, reader));
    else reader.skip(tag);
  }
  return list;
}

function readRaw(reader: ProtobufReader): JsonValue {
  let raw: Buffer | undefined;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag >>> 3 === 1) raw = reader.bytes();
    else reader.skip(tag);
  }
  if (raw === undefined || raw.length === 0) return null;
  try {
    return JSON.parse(raw.toString('utf8')) as JsonValue;
  } catch (error) {
    throw new ProtobufError('protobuf: a raw extension is not JSON', error);
  }
}

function readIntOrString(reader: ProtobufReader): JsonValue {
  let type = 0;
  let number = 0;
  let text = '';
  while (!reader.done) {
    const tag = reader.tag();
    if (tag >>> 3 === 1) type = reader.int32();
    else if (tag >>> 3 === 2) number = reader.int32();
    else if (tag >>> 3 === 3) text = reader.string();
    else reader.skip(tag);
  }
  return type === 0 ? number : text;
}

function readQuantity(reader: ProtobufReader): JsonValue {
  let text = '0';
  while (!reader.done) {
    const tag = reader.tag();
    if (tag >>> 3 === 1) text = reader.string();
    else reader.skip(tag);
  }
  try {
    return canonicalAmount(text);
  } catch (error) {
    if (error instanceof ScalarError) throw new ProtobufError(error.message, error);
    throw error;
  }
}

/** An empty message is Go's zero time, which JSON does not show. A `Time` has no fraction upstream. */
function readTime(form: 'time' | 'microTime', reader: ProtobufReader): JsonValue {
  if (reader.done) return null;
  let seconds = 0;
  let nanos = 0;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag >>> 3 === 1) seconds = reader.int64();
    else if (tag >>> 3 === 2) nanos = reader.int32();
    else reader.skip(tag);
  }
  if (Math.abs(seconds) > 253_402_300_799) throw new ProtobufError('protobuf: year outside of range [0,9999]');
  return form === 'time' ? formatSeconds(seconds) : formatMicros({ seconds, nanos });
}

function readDuration(reader: ProtobufReader): JsonValue {
  let nanos = 0n;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag >>> 3 === 1) nanos = reader.bigint64();
    else reader.skip(tag);
  }
  return formatNanos(nanos);
}
