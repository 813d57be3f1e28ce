import { WireError } from './errors.js';
import { isJsonObject, writeList, writeStruct, writeValue } from './json-wire.js';
import type { JsonValue } from './json-value.js';
import { type EnumType, type FieldType, isDefault, type MessageType, Type } from './schema.js';
import { Writer } from './writer.js';

type Fields = Record<string, unknown>;

/** The protobuf bytes of `value`. Equal values have equal bytes: fields by number, maps by key. */
export function encodeMessage(type: MessageType, value: object): Uint8Array {
  const writer = new Writer();
  writeMessage(writer, type, value as Fields);
  return writer.finish();
}

function writeMessage(writer: Writer, type: MessageType, value: Fields): void {
  const { fields } = type;
  for (let i = fields.length - 1; i >= 0; i--) {
    const field = fields[i]!;
    const present = value[field.name];
    if (present === undefined || present === null) continue;
    try {
      writeField(writer, field, present);
    } catch (error) {
      throw new WireError(`${type.name}.${field.name}`, { cause: error });
    }
  }
}

function writeField(writer: Writer, field: FieldType, value: unknown): void {
  if (field.map) return writeMap(writer, field, value as Fields);
  if (field.repeated) return writeRepeated(writer, field, value as readonly unknown[]);
  if (field.wrapped) return writeWrapped(writer, field, value);
  if (!field.explicit && isDefault(field, value)) return;
  writeTagged(writer, field, field.number, value);
}

/** google.protobuf.UInt32Value and its kin: a message whose field 1 is the value. */
function writeWrapped(writer: Writer, field: FieldType, value: unknown): void {
  const before = writer.length;
  if (!isDefault(field, value)) writeTagged(writer, field, 1, value);
  writer.closeField(field.number, before);
}

function writeRepeated(writer: Writer, field: FieldType, values: readonly unknown[]): void {
  if (values.length === 0) return;
  if (wireType(field.type) === 2) {
    for (let i = values.length - 1; i >= 0; i--) {
      if (field.wrapped) writeWrapped(writer, field, values[i]);
      else writeTagged(writer, field, field.number, values[i]);
    }
    return;
  }
  const before = writer.length;
  for (let i = values.length - 1; i >= 0; i--) writeScalar(writer, field, values[i]);
  writer.closeField(field.number, before);
}

function writeMap(writer: Writer, field: FieldType, entries: Fields): void {
  const keys = Object.keys(entries).sort();
  for (let i = keys.length - 1; i >= 0; i--) {
    const before = writer.length;
    const key = keys[i]!;
    writeTagged(writer, field, 2, entries[key]);
    const keyBefore = writer.length;
    writer.string(key);
    writer.closeField(1, keyBefore);
    writer.closeField(field.number, before);
  }
}

function writeTagged(writer: Writer, field: FieldType, number: number, value: unknown): void {
  const wire = wireType(field.type);
  if (wire !== 2) {
    writeScalar(writer, field, value);
    return writer.varint(number * 8 + wire);
  }
  const before = writer.length;
  switch (field.type) {
    case Type.string:
      if (typeof value !== 'string') throw new WireError(`a string is needed, not ${typeof value}`);
      writer.string(value);
      break;
    case Type.bytes:
      writer.bytes(value as Uint8Array);
      break;
    case Type.message:
      if (typeof value !== 'object') throw new WireError(`a message is needed, not ${typeof value}`);
      writeMessage(writer, field.message!, value as Fields);
      break;
    case Type.struct:
      if (!isJsonObject(value)) throw new WireError('an object is needed');
      writeStruct(writer, value);
      break;
    case Type.list:
      writeList(writer, value as JsonValue[]);
      break;
    default:
      writeValue(writer, value as JsonValue);
  }
  writer.closeField(number, before);
}

function writeScalar(writer: Writer, field: FieldType, value: unknown): void {
  if (field.type === Type.bool) return writer.varint(value ? 1 : 0);
  if (field.type === Type.enum) return writer.signed(enumNumber(field.enum!, value));
  if (typeof value !== 'number') throw new WireError(`a number is needed, not ${typeof value}`);
  switch (field.type) {
    case Type.double:
      return writer.double(value);
    case Type.float:
      return writer.float(value);
    case Type.fixed32:
    case Type.sfixed32:
      return writer.fixed32(value);
    case Type.fixed64:
    case Type.sfixed64:
      return writer.fixed64(value);
    case Type.sint32:
    case Type.sint64:
      return writer.zigzag(value);
    default:
      if (!Number.isInteger(value)) throw new WireError(`an integer is needed, not ${value}`);
      return writer.signed(value);
  }
}

/** A value that this table does not know travels as its decimal number, so that decode and encode lose nothing. */
function enumNumber(type: EnumType, value: unknown): number {
  const number = type.numbers.get(String(value)) ?? Number(value);
  if (!Number.isInteger(number)) throw new WireError(`no enum value ${String(value)}`);
  return number;
}

function wireType(type: Type): number {
  switch (type) {
    case Type.double:
    case Type.fixed64:
    case Type.sfixed64:
      return 1;
    case Type.float:
    case Type.fixed32:
    case Type.sfixed32:
      return 5;
    case Type.string:
    case Type.bytes:
    case Type.message:
    case Type.struct:
    case Type.value:
    case Type.list:
      return 2;
    default:
      return 0;
  }
}
