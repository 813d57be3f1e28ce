import { WireError } from './errors.js';
import { readList, readStruct, readValue } from './json-wire.js';
import { Reader } from './reader.js';
import { type FieldType, isDefault, isNumeric, type MessageType, Type } from './schema.js';

type Fields = Record<string, unknown>;

/** Deeper nesting than any real configuration: refused, so that hostile bytes cannot exhaust the stack. */
const maxDepth = 100;

/** The message that `bytes` hold. Absent fields are absent; unknown fields are skipped. Byte fields are views of `bytes`. */
export function decodeMessage(type: MessageType, bytes: Uint8Array): object {
  return readMessage(new Reader(bytes), type, 0);
}

function readMessage(reader: Reader, type: MessageType, depth: number): Fields {
  if (depth > maxDepth) throw new WireError(`${type.name}: nested deeper than ${maxDepth}`);
  const value: Fields = {};
  while (reader.at < reader.end) {
    const tag = reader.varint();
    const wire = tag % 8;
    const field = type.byNumber.get((tag - wire) / 8);
    if (field) readField(reader, field, wire, value, depth);
    else reader.skip(wire);
  }
  return value;
}

function readField(reader: Reader, field: FieldType, wire: number, into: Fields, depth: number): void {
  if (field.map) return readEntry(reader.piece(), field, into, depth);
  if (!field.repeated) {
    const value = field.wrapped ? readWrapped(reader.piece(), field, depth) : readOne(reader, field, wire, depth);
    const before = into[field.name];
    // A field met twice: messages are merged, anything else is replaced (encoding guide, "last one wins").
    if (field.type === Type.message && before !== undefined) Object.assign(before as Fields, value);
    else if (field.explicit || field.wrapped || !isDefault(field, value)) into[field.name] = value;
    else delete into[field.name];
    return;
  }
  const list = (into[field.name] ??= []) as unknown[];
  if (field.wrapped) list.push(readWrapped(reader.piece(), field, depth));
  else if (wire === 2 && isNumeric(field.type)) {
    const packed = reader.piece();
    while (packed.at < packed.end) list.push(readScalar(packed, field));
  } else list.push(readOne(reader, field, wire, depth));
}

function readEntry(entry: Reader, field: FieldType, into: Fields, depth: number): void {
  const map = (into[field.name] ??= {}) as Fields;
  let key = '';
  let value: unknown;
  while (entry.at < entry.end) {
    const tag = entry.varint();
    if (tag === 10) key = entry.string();
    else if (tag >>> 3 === 2) value = readOne(entry, field, tag % 8, depth);
    else entry.skip(tag % 8);
  }
  Object.defineProperty(map, key, {
    value: value ?? emptyOf(field),
    enumerable: true,
    writable: true,
    configurable: true,
  });
}

function emptyOf(field: FieldType): unknown {
  if (field.type === Type.string) return '';
  if (field.type === Type.bool) return false;
  if (field.type === Type.bytes) return new Uint8Array();
  if (field.type === Type.enum) return field.enum!.zero;
  return isNumeric(field.type) ? 0 : {};
}

function readWrapped(piece: Reader, field: FieldType, depth: number): unknown {
  let value: unknown;
  while (piece.at < piece.end) {
    const tag = piece.varint();
    if (tag >>> 3 === 1) value = readOne(piece, field, tag % 8, depth);
    else piece.skip(tag % 8);
  }
  return value ?? emptyOf(field);
}

function readOne(reader: Reader, field: FieldType, wire: number, depth: number): unknown {
  if (isNumeric(field.type)) {
    if (wire === 2) throw new WireError(`${field.name}: a number is expected`);
    return readScalar(reader, field);
  }
  if (wire !== 2) throw new WireError(`${field.name}: wire type ${wire}, a length is expected`);
  switch (field.type) {
    case Type.string:
      return reader.string();
    case Type.bytes:
      return reader.slice();
    case Type.message:
      return readMessage(reader.piece(), field.message!, depth + 1);
    case Type.struct:
      return readStruct(reader.piece());
    case Type.list:
      return readList(reader.piece());
    default:
      return readValue(reader.piece());
  }
}

function readScalar(reader: Reader, field: FieldType): unknown {
  switch (field.type) {
    case Type.bool:
      return reader.varint() !== 0;
    case Type.enum: {
      const number = reader.int32();
      return field.enum!.names.get(number) ?? String(number);
    }
    case Type.int32:
      return reader.int32();
    case Type.int64:
      return reader.int64();
    case Type.sint32:
    case Type.sint64:
      return reader.zigzag();
    case Type.double:
      return reader.view(8).getFloat64(0, true);
    case Type.float:
      return reader.view(4).getFloat32(0, true);
    case Type.fixed32:
      return reader.view(4).getUint32(0, true);
    case Type.sfixed32:
      return reader.view(4).getInt32(0, true);
    case Type.fixed64:
      return Number(reader.view(8).getBigUint64(0, true));
    case Type.sfixed64:
      return Number(reader.view(8).getBigInt64(0, true));
    default:
      return reader.varint();
  }
}
