import type { JsonObject, JsonValue } from './json-value.js';
import type { Reader } from './reader.js';
import type { Writer } from './writer.js';

/** google.protobuf.Struct, Value and ListValue (struct.proto) as plain JSON values. */

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Struct { map<string, Value> fields = 1 } */
export function writeStruct(writer: Writer, value: JsonObject): void {
  const keys = Object.keys(value).sort();
  for (let i = keys.length - 1; i >= 0; i--) {
    const entry = writer.length;
    const item = writer.length;
    writeValue(writer, value[keys[i]!] ?? null);
    writer.closeField(2, item);
    const key = writer.length;
    writer.string(keys[i]!);
    writer.closeField(1, key);
    writer.closeField(1, entry);
  }
}

/** ListValue { repeated Value values = 1 } */
export function writeList(writer: Writer, value: readonly JsonValue[]): void {
  for (let i = value.length - 1; i >= 0; i--) {
    const before = writer.length;
    writeValue(writer, value[i]!);
    writer.closeField(1, before);
  }
}

/** Value { null 1, number 2, string 3, bool 4, struct 5, list 6 } */
export function writeValue(writer: Writer, value: JsonValue): void {
  const before = writer.length;
  if (value === null) {
    writer.varint(0);
    writer.varint(1 * 8);
  } else if (typeof value === 'number') {
    writer.double(value);
    writer.varint(2 * 8 + 1);
  } else if (typeof value === 'string') {
    writer.string(value);
    writer.closeField(3, before);
  } else if (typeof value === 'boolean') {
    writer.varint(value ? 1 : 0);
    writer.varint(4 * 8);
  } else if (Array.isArray(value)) {
    writeList(writer, value);
    writer.closeField(6, before);
  } else {
    writeStruct(writer, value);
    writer.closeField(5, before);
  }
}

export function readStruct(reader: Reader): JsonObject {
  const object: JsonObject = {};
  while (reader.at < reader.end) {
    const tag = reader.varint();
    if (tag !== 10) {
      reader.skip(tag % 8);
      continue;
    }
    const entry = reader.piece();
    let key = '';
    let value: JsonValue = null;
    while (entry.at < entry.end) {
      const part = entry.varint();
      if (part === 10) key = entry.string();
      else if (part === 18) value = readValue(entry.piece());
      else entry.skip(part % 8);
    }
    // A plain assignment to `__proto__` would not make a property.
    Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true });
  }
  return object;
}

export function readList(reader: Reader): JsonValue[] {
  const list: JsonValue[] = [];
  while (reader.at < reader.end) {
    const tag = reader.varint();
    if (tag === 10) list.push(readValue(reader.piece()));
    else reader.skip(tag % 8);
  }
  return list;
}

export function readValue(reader: Reader): JsonValue {
  let value: JsonValue = null;
  while (reader.at < reader.end) {
    const tag = reader.varint();
    if (tag === 8) {
      reader.varint();
      value = null;
    } else if (tag === 17) value = reader.view(8).getFloat64(0, true);
    else if (tag === 26) value = reader.string();
    else if (tag === 32) value = reader.varint() !== 0;
    else if (tag === 42) value = readStruct(reader.piece());
    else if (tag === 50) value = readList(reader.piece());
    else reader.skip(tag % 8);
  }
  return value;
}
