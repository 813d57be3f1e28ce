import { decodeMessage } from './decode.js';
import { isJsonObject } from './json-wire.js';
import type { JsonObject, JsonValue } from './json-value.js';
import { type FieldType, findMessage, type MessageType, Type } from './schema.js';

type Fields = Record<string, unknown>;

/**
 * The JSON of a message as Envoy's admin interface prints it: proto3's JSON mapping with the original field names, and
 * every Any that the table knows expanded under its `@type`. An unknown Any keeps its bytes, base64, under `value`.
 */
export function messageToJson(type: MessageType, value: object): JsonValue {
  const fields = value as Fields;
  if (type.name === 'google.protobuf.Any') return anyToJson(fields);
  if (type.name === 'google.protobuf.Duration') return durationText(fields);
  if (type.name === 'google.protobuf.Timestamp') return timestampText(fields);
  const json: JsonObject = {};
  for (const field of type.fields) {
    const present = fields[field.name];
    if (present !== undefined && present !== null) json[field.name] = fieldToJson(field, present);
  }
  return json;
}

function fieldToJson(field: FieldType, value: unknown): JsonValue {
  if (field.map) {
    const entries = Object.entries(value as Fields).map(([key, item]) => [key, itemToJson(field, item)] as const);
    return Object.fromEntries(entries);
  }
  if (field.repeated) return (value as readonly unknown[]).map((item) => itemToJson(field, item));
  return itemToJson(field, value);
}

function itemToJson(field: FieldType, value: unknown): JsonValue {
  if (field.type === Type.message) return messageToJson(field.message!, value as object);
  if (field.type === Type.bytes) return base64(value as Uint8Array);
  if (isLong(field.type)) return String(value);
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  return value as JsonValue;
}

/** 64-bit integers are strings in proto3's JSON. */
function isLong(type: Type): boolean {
  return (
    type === Type.int64 ||
    type === Type.uint64 ||
    type === Type.sint64 ||
    type === Type.fixed64 ||
    type === Type.sfixed64
  );
}

function anyToJson(any: Fields): JsonValue {
  const url = typeof any.type_url === 'string' ? any.type_url : '';
  const bytes = (any.value as Uint8Array | undefined) ?? new Uint8Array();
  const type = findMessage(url.slice(url.lastIndexOf('/') + 1));
  if (!type) return { '@type': url, value: base64(bytes) };
  const json = messageToJson(type, decodeMessage(type, bytes));
  // Messages with a JSON form of their own go under `value` (any.proto).
  return isJsonObject(json) ? { '@type': url, ...json } : { '@type': url, value: json };
}

/** `1.5s`, with 0, 3, 6 or 9 digits. */
function durationText({ seconds = 0, nanos = 0 }: { seconds?: unknown; nanos?: unknown }): string {
  const sign = Number(seconds) < 0 || Number(nanos) < 0 ? '-' : '';
  return `${sign}${Math.abs(Number(seconds))}${fraction(Math.abs(Number(nanos)))}s`;
}

function timestampText({ seconds = 0, nanos = 0 }: { seconds?: unknown; nanos?: unknown }): string {
  const text = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  return `${text}${fraction(Number(nanos))}Z`;
}

function fraction(nanos: number): string {
  if (nanos === 0) return '';
  return `.${String(nanos)
    .padStart(9, '0')
    .replace(/(000){1,2}$/, '')}`;
}

function base64(bytes: Uint8Array): string {
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}
