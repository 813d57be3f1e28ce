import {
  applyJsonPatch,
  applyMergePatch,
  applyStrategicMergePatch,
  badRequest,
  fieldErrors,
  FieldPath,
  invalid,
  isJsonObject,
  type JsonValue,
  StatusError,
  unsupportedMediaType,
} from '@flotilla/api';
import { type Expected, decodeValue, mediaTypeOf, parseText } from '../decode.js';
import type { Call } from '../call.js';

const jsonPatch = 'application/json-patch+json';
const mergePatch = 'application/merge-patch+json';
const strategicPatch = 'application/strategic-merge-patch+json';

/** A patch as it was sent, ready to be applied to whatever state is there. */
export type Patch = (document: JsonValue) => JsonValue;

/**
 * Reads the patch in a request. Throws 400, or 415 for a patch type that the kind does not take; server-side apply needs
 * field ownership, which is not tracked yet, and is refused the same way.
 */
export async function readPatch(call: Call, expected: Expected): Promise<Patch> {
  const media = mediaTypeOf(call.request.contentType);
  const strategic = !call.info.custom || call.target.subresource === 'scale';
  const accepted = strategic ? [jsonPatch, mergePatch, strategicPatch] : [jsonPatch, mergePatch];
  if (!accepted.includes(media)) throw unsupportedMediaType(accepted);
  const patch = await parsePatch(media, call.request.body);
  switch (media) {
    case jsonPatch:
      return (document) => applyJsonPatch(document, patch);
    case mergePatch:
      return (document) => applyMergePatch(document, patch);
    default:
      return (document) => applyStrategicMergePatch(expected.schema, document, patch);
  }
}

async function parsePatch(media: string, body: Uint8Array): Promise<JsonValue> {
  let value: JsonValue;
  try {
    ({ value } = await parseText('application/json', body, 'Patch'));
  } catch {
    throw badRequest('error decoding patch: the body is not valid JSON');
  }
  if (media === jsonPatch ? Array.isArray(value) : isJsonObject(value)) return value;
  throw badRequest(`error decoding patch: expected ${media === jsonPatch ? 'an array of operations' : 'an object'}`);
}

/** Applies a patch to an object and reads the outcome in the canonical form of its kind. Throws 400, 422. */
export function applyPatch<T>(call: Call, expected: Expected, patch: Patch, before: object): T {
  // Canonical objects hold nothing but JSON, yet TypeScript's interfaces have no index signature to say so.
  const patched = patch(before as JsonValue);
  try {
    return decodeValue<T>(expected, patched, call.fieldValidation, call.warnings);
  } catch (error) {
    if (!(error instanceof StatusError) || error.reason !== 'BadRequest') throw error;
    const detail = error.message.replace(/^.*?cannot be handled as a \S+: /, '');
    const text = new TextDecoder().decode(call.request.body);
    throw invalid({ group: '', kind: '' }, '', [fieldErrors.invalid(FieldPath.of('patch'), text, detail)]);
  }
}
