import { decodeJson } from './decode-json.js';
import type { JsonObject, JsonValue } from './json.js';
import type { MessageSchema } from './types.js';

/**
 * The canonical JSON form of an object that was built in code: order of declaration, empty optional fields gone, structs
 * that are never absent present (`status: {}`), as Go's encoder prints it. Times that are not set are left out, where
 * older versions of Kubernetes print `null`. What decodeJson or decodeProtobuf returned is canonical already. Throws
 * JsonDecodeError.
 */
export function encodeJson(schema: MessageSchema, value: object): JsonObject {
  return decodeJson(schema, value as JsonValue).value;
}
