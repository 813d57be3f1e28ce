import { decodeJson, JsonDecodeError } from './decode-json.js';
import { duplicateFields } from './duplicates.js';
import type { JsonObject, JsonValue } from './json.js';
import type { MessageSchema } from './types.js';

/** What a request wants done about unknown and duplicate fields: the query parameter `fieldValidation`. */
export type FieldValidation = 'Ignore' | 'Warn' | 'Strict';

/**
 * Reads a JSON text of a known type. `Strict` refuses unknown and duplicate fields, `Warn` returns them as warnings.
 * Throws JsonDecodeError, whose message the API server puts after `… cannot be handled as a …: `.
 */
export function decodeJsonText<T = JsonObject>(
  schema: MessageSchema,
  text: string,
  validation: FieldValidation,
): { value: T; warnings: readonly string[] } {
  const { value, strictErrors } = decodeJson<T>(schema, parseJson(text));
  if (validation === 'Ignore') return { value, warnings: [] };
  const complaints = [...strictErrors, ...duplicateFields(text)];
  if (validation === 'Strict' && complaints.length > 0) throw strictError(complaints);
  return { value, warnings: complaints };
}

/** `strict decoding error: unknown field "spec.foo", duplicate field "spec.x"`. */
export function strictError(complaints: readonly string[]): JsonDecodeError {
  return new JsonDecodeError(`strict decoding error: ${complaints.join(', ')}`);
}

/** Throws JsonDecodeError for what is no JSON. */
export function parseJson(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch (error) {
    throw new JsonDecodeError(`json parse error: ${(error as SyntaxError).message}`, error);
  }
}
