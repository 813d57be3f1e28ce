import type { Any, Messages } from '../gen/types.js';
import { decodeMessage } from './decode.js';
import { encodeMessage } from './encode.js';
import { messageToJson } from './json.js';
import type { JsonValue } from './json-value.js';
import { findMessage, type MessageName, messageType } from './schema.js';

export { WireError } from './errors.js';
export type { JsonObject, JsonValue } from './json-value.js';
export type { MessageName } from './schema.js';

const urlPrefix = 'type.googleapis.com/';

/** `type.googleapis.com/<full name>` */
export type TypeUrl<N extends MessageName = MessageName> = `type.googleapis.com/${N}`;

export function typeUrlOf<N extends MessageName>(name: N): TypeUrl<N> {
  return `${urlPrefix}${name}`;
}

/** Protobuf bytes of a message. Equal values have equal bytes. Throws WireError for a value of the wrong shape. */
export function encode<N extends MessageName>(name: N, value: Messages[N]): Uint8Array {
  return encodeMessage(messageType(name), value);
}

/** The message in `bytes`. Absent fields are absent; byte fields are views of `bytes`. Throws WireError. */
export function decode<N extends MessageName>(name: N, bytes: Uint8Array): Messages[N] {
  return decodeMessage(messageType(name), bytes) as Messages[N];
}

/** A message in an Any. */
export function pack<N extends MessageName>(name: N, value: Messages[N]): Any {
  return { type_url: typeUrlOf(name), value: encode(name, value) };
}

/** The message in an Any that must be of the given type; undefined for another type. Throws WireError. */
export function unpack<N extends MessageName>(name: N, any: Any | undefined): Messages[N] | undefined {
  if (any?.type_url !== typeUrlOf(name)) return undefined;
  return decode(name, any.value ?? new Uint8Array());
}

/** Whether the table has the type of a type URL: what a client must check before it accepts a configuration. */
export function isKnownType(typeUrl: string): boolean {
  return findMessage(typeUrl.slice(typeUrl.lastIndexOf('/') + 1)) !== undefined;
}

/** JSON as Envoy's `/config_dump` prints it: original field names, every known Any expanded under its `@type`. */
export function toEnvoyJson<N extends MessageName>(name: N, value: Messages[N]): JsonValue {
  return messageToJson(messageType(name), value);
}
