import {
  badRequest,
  decodeJson,
  decodeProtobuf,
  decodeUnknown,
  duplicateFields,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  type MessageSchema,
  unsupportedMediaType,
} from '@flotilla/api';
import { describeError } from '@flotilla/base';
import type { FieldValidation } from './call.js';
import { contentTypes } from './negotiate.js';
import type { Request } from './request.js';

/** What a body should be. */
export interface Expected {
  group: string;
  version: string;
  kind: string;
  schema: MessageSchema;
  /** Whether the kind has a protobuf form. */
  protobuf: boolean;
  /** The kind is registered in every group and version (DeleteOptions). */
  anyVersion?: boolean;
}

const decoder = new TextDecoder('utf-8', { fatal: true });

export const mediaTypeOf = (contentType: string | undefined): string =>
  (contentType ?? '').split(';')[0]!.trim().toLowerCase();

const apiVersionOf = (e: Expected): string => (e.group ? `${e.group}/${e.version}` : e.version);

function unrecognized(expected: Expected, why: string): Error {
  return badRequest(`the object provided is unrecognized (must be of type ${expected.kind}): ${why}`);
}

/** JSON or YAML text as a value, and what strict decoding refuses in the text itself. Throws 400. */
export async function parseText(
  media: string,
  body: Uint8Array,
  kind: string,
): Promise<{ value: JsonValue; complaints: () => readonly string[] }> {
  try {
    const text = decoder.decode(body);
    if (media !== contentTypes.yaml) {
      return { value: JSON.parse(text) as JsonValue, complaints: () => duplicateFields(text) };
    }
    const { parse } = await import('yaml');
    return { value: parse(text, { schema: 'core', merge: false }) as JsonValue, complaints: () => [] };
  } catch (error) {
    throw badRequest(
      `the object provided is unrecognized (must be of type ${kind}): couldn't get version/kind; json parse error: ${describeError(error)}`,
    );
  }
}

/** Upstream's check of type against URL; what the body leaves out is as the URL says. */
function checkType(expected: Expected, apiVersion: unknown, kind: unknown): void {
  if (typeof kind === 'string' && kind !== '' && kind !== expected.kind) {
    throw unrecognized(expected, `the kind in the data (${kind}) does not match the expected kind (${expected.kind})`);
  }
  const named = typeof apiVersion === 'string' && apiVersion !== '' && !expected.anyVersion;
  if (named && apiVersion !== apiVersionOf(expected)) {
    throw badRequest(
      `the API version in the data (${apiVersion}) does not match the expected API version (${apiVersionOf(expected)})`,
    );
  }
}

/** Reads a value into the canonical form of its kind; unknown fields are refused, told about, or dropped. */
export function decodeValue<T>(
  expected: Expected,
  value: JsonValue,
  validation: FieldValidation,
  warnings: string[],
  complaints: () => readonly string[] = () => [],
): T {
  if (!isJsonObject(value)) throw unrecognized(expected, `couldn't get version/kind`);
  checkType(expected, value['apiVersion'], value['kind']);
  const { strictErrors, value: decoded } = decodeTyped<T>(expected, value);
  if (validation === 'Ignore') return decoded;
  const all = [...strictErrors, ...complaints()];
  if (all.length > 0 && validation === 'Strict') {
    throw badRequest(cannotHandle(expected, `strict decoding error: ${all.join(', ')}`));
  }
  warnings.push(...all);
  return decoded;
}

const cannotHandle = (e: Expected, why: string): string =>
  `${e.kind} in version ${JSON.stringify(e.version)} cannot be handled as a ${e.kind}: ${why}`;

function decodeTyped<T>(expected: Expected, value: JsonObject): { value: T; strictErrors: readonly string[] } {
  try {
    return decodeJson<T>(expected.schema, value);
  } catch (error) {
    throw badRequest(cannotHandle(expected, describeError(error)));
  }
}

/** The object in a request's body. Throws 400 or 415. */
export async function decodeBody<T>(
  request: Request,
  expected: Expected,
  validation: FieldValidation,
  warnings: string[],
): Promise<T> {
  const media = mediaTypeOf(request.contentType);
  if (media === contentTypes.protobuf && expected.protobuf) return decodeEnvelope<T>(request.body, expected);
  if (media !== '' && media !== contentTypes.json && media !== contentTypes.yaml) {
    const accepted = [contentTypes.json, contentTypes.yaml];
    throw unsupportedMediaType(expected.protobuf ? [...accepted, contentTypes.protobuf] : accepted);
  }
  const { value, complaints } = await parseText(media, request.body, expected.kind);
  return decodeValue<T>(expected, value, validation, warnings, complaints);
}

function decodeEnvelope<T>(body: Uint8Array, expected: Expected): T {
  try {
    const envelope = decodeUnknown(body);
    checkType(expected, envelope.apiVersion, envelope.kind);
    return decodeProtobuf<T>(expected.schema, envelope.raw);
  } catch (error) {
    if (error instanceof Error && error.name === 'StatusError') throw error;
    throw badRequest(cannotHandle(expected, describeError(error)));
  }
}
