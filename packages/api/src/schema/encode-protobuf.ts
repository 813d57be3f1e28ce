import type { JsonObject, JsonValue } from './json.js';
import { BYTES, FIXED64, VARINT } from './protobuf-reader.js';
import { ProtobufWriter } from './protobuf-writer.js';
import { parseInstant, parseNanos } from './scalars.js';
import type { FieldSchema, MessageSchema } from './types.js';

/**
 * Writes one message without envelope. The object is in JSON form; what JSON may leave out protobuf leaves out too, and
 * Go reads absence as the zero value. Fields come in ascending order of declaration, map entries by key, so equal
 * objects give equal bytes. Throws ScalarError for a time or duration that is none.
 */
export function encodeProtobuf(schema: MessageSchema, value: object): Uint8Array {
  const writer = new ProtobufWriter();
  writeMessage(writer, schema, value as JsonValue);
  return writer.finish();
}

function writeMessage(writer: ProtobufWriter, schema: MessageSchema, value: JsonValue): void {
  switch (schema.form) {
    case 'struct':
      return writeFields(writer, schema, value as JsonObject);
    case 'list':
      return writeField(writer, schema.fields[0]!, value);
    case 'json':
      return writeText(writer, 1, JSON.stringify(value));
    case 'intOrString':
      return writeIntOrString(writer, value);
    case 'quantity':
      return writeText(writer, 1, textOf(value));
    case 'time':
    case 'microTime':
      return writeTime(writer, schema.form, textOf(value));
    case 'duration':
      writer.bigint64(parseNanos(textOf(value)));
      return writer.tag(1, VARINT);
  }
}

function writeFields(writer: ProtobufWriter, schema: MessageSchema, object: JsonObject): void {
  for (let i = schema.fields.length - 1; i >= 0; i--) {
    const field = schema.fields[i]!;
    if (field.number === 0) continue;
    if (field.inline) {
      const before = writer.position;
      writeFields(writer, field.message!, object);
      if (writer.position > before) close(writer, field.number, before);
      continue;
    }
    const value = object[field.name];
    if (value !== undefined && value !== null) writeField(writer, field, value);
  }
}

function writeField(writer: ProtobufWriter, field: FieldSchema, value: JsonValue): void {
  if (field.cardinality === 'list') {
    const list = value as JsonValue[];
    for (let i = list.length - 1; i >= 0; i--) writeOne(writer, field, field.number, list[i]!);
  } else if (field.cardinality === 'map') {
    writeMap(writer, field, value as JsonObject);
  } else if (field.pointer || !isZero(field, value)) {
    writeOne(writer, field, field.number, value, !field.pointer);
  }
}

/** What Go cannot tell from absence, since the field is no pointer. */
function isZero(field: FieldSchema, value: JsonValue): boolean {
  if (field.type !== 'message') return value === '' || value === 0 || value === false;
  const form = field.message?.form;
  return (form === 'intOrString' && value === 0) || (form === 'quantity' && value === '0');
}

function writeMap(writer: ProtobufWriter, field: FieldSchema, map: JsonObject): void {
  for (const key of Object.keys(map).sort().reverse()) {
    const before = writer.position;
    writeOne(writer, field, 2, map[key]!);
    writeText(writer, 1, key);
    close(writer, field.number, before);
  }
}

/** Puts length and tag in front of what was written since `before`. */
function close(writer: ProtobufWriter, number: number, before: number): void {
  writer.varint(writer.position - before);
  writer.tag(number, BYTES);
}

function writeOne(
  writer: ProtobufWriter,
  field: FieldSchema,
  number: number,
  value: JsonValue,
  skipEmpty = false,
): void {
  switch (field.type) {
    case 'string':
      return writeText(writer, number, value as string);
    case 'bytes':
      writer.bytes(Buffer.from(value as string, 'base64'));
      return writer.tag(number, BYTES);
    case 'bool':
      writer.varint(value === true ? 1 : 0);
      return writer.tag(number, VARINT);
    case 'int32':
    case 'int64':
      writer.int64(value as number);
      return writer.tag(number, VARINT);
    case 'double':
      writer.double(value as number);
      return writer.tag(number, FIXED64);
    case 'message': {
      const before = writer.position;
      writeMessage(writer, field.message!, value);
      if (!skipEmpty || writer.position > before) close(writer, number, before);
    }
  }
}

/** These forms are texts in canonical JSON; a quantity that was built in code may be a number. */
function textOf(value: JsonValue): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function writeText(writer: ProtobufWriter, number: number, text: string): void {
  writer.string(text);
  writer.tag(number, BYTES);
}

function writeIntOrString(writer: ProtobufWriter, value: JsonValue): void {
  if (typeof value === 'string') writeText(writer, 3, value);
  else {
    writer.int64(value as number);
    writer.tag(2, VARINT);
  }
  writer.varint(typeof value === 'string' ? 1 : 0);
  writer.tag(1, VARINT);
}

/** Both fields, always: an empty message would be Go's zero time, not 1970. */
function writeTime(writer: ProtobufWriter, form: 'time' | 'microTime', text: string): void {
  const { seconds, nanos } = parseInstant(text);
  writer.varint(form === 'time' ? 0 : nanos - (nanos % 1000));
  writer.tag(2, VARINT);
  writer.int64(seconds);
  writer.tag(1, VARINT);
}
