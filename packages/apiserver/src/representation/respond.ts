import {
  apiVersionOf,
  encodeProtobuf,
  encodeUnknown,
  type KubeObject,
  type meta,
  type ResourceInfo,
  schemaOf,
} from '@flotilla/api';
import { contentTypes, type Media, type Representation, type Shape } from '../negotiate.js';
import type { Response } from '../request.js';
import { concat, fieldHead } from '../wire.js';
import { jsonBytes, prettyBytes, protobufBytes, yamlBytes } from './bytes.js';
import { includeObjectOf, listHead, partial, shaped, tableOf } from './shape.js';

const encoder = new TextEncoder();
const comma = encoder.encode(',');
const listEnd = encoder.encode(']}\n');
const newline = encoder.encode('\n');

const everyShape: readonly Shape[] = ['object', 'Table', 'PartialObjectMetadata'];

/** Custom resources have no protobuf form upstream, and Tables are JSON in practice. */
export function mediaOf(info: ResourceInfo): readonly Media[] {
  return info.custom ? ['json', 'yaml'] : ['json', 'yaml', 'protobuf'];
}

export const shapesOfRead = everyShape;

interface Wish {
  wish: Representation;
  query: URLSearchParams;
  now: number;
}

/** One object. */
export async function respondObject(
  status: number,
  info: ResourceInfo,
  object: KubeObject,
  to: Wish,
): Promise<Response> {
  const { wish, query, now } = to;
  if (wish.media === 'protobuf' && wish.shape === 'object') {
    return { status, contentType: contentTypes.protobuf, body: [enveloped(info, object)] };
  }
  const value = shaped(info, object, wish, includeObjectOf(query), now);
  return valueResponse(status, value, wish, query);
}

/** Anything that is not a stored kind: a Status, a Scale, a list of API groups. */
export async function valueResponse(
  status: number,
  value: object,
  wish: Representation,
  query: URLSearchParams,
): Promise<Response> {
  if (wish.media === 'yaml') return { status, contentType: contentTypes.yaml, body: [await yamlBytes(value)] };
  const pretty = ['true', '1'].includes(query.get('pretty') ?? '');
  const body = pretty ? [prettyBytes(value)] : [jsonBytes(value), newline];
  return { status, contentType: contentTypes.json, body };
}

/** A value of a declared message that is not a served kind, in protobuf if the client prefers that. */
export async function messageResponse(
  status: number,
  schemaId: string,
  value: { apiVersion: string; kind: string },
  wish: Representation,
  query: URLSearchParams,
): Promise<Response> {
  if (wish.media !== 'protobuf') return valueResponse(status, value, wish, query);
  const { apiVersion, kind } = value;
  const raw = encodeProtobuf(schemaOf(schemaId), value);
  return { status, contentType: contentTypes.protobuf, body: [encodeUnknown({ apiVersion, kind, raw })] };
}

function enveloped(info: ResourceInfo, object: KubeObject): Uint8Array {
  return encodeUnknown({ apiVersion: apiVersionOf(info), kind: info.kind, raw: protobufBytes(info, object) });
}

/** A list, assembled from the objects' cached bytes. */
export async function respondList(
  info: ResourceInfo,
  items: readonly KubeObject[],
  metadata: meta.ListMeta,
  to: Wish,
): Promise<Response> {
  const { wish, query, now } = to;
  if (wish.shape === 'Table') {
    const include = includeObjectOf(query);
    return valueResponse(
      200,
      tableOf(info, items, { now, version: wish.shapeVersion, include, metadata }),
      wish,
      query,
    );
  }
  const head = listHead(info, wish);
  const shapedItems = wish.shape === 'object' ? items : items.map((o) => partial(o, wish.shapeVersion));
  const pretty = ['true', '1'].includes(query.get('pretty') ?? '');
  if (wish.media === 'yaml' || pretty)
    return valueResponse(200, { ...head, metadata, items: shapedItems }, wish, query);
  if (wish.media === 'protobuf' && wish.shape === 'object') {
    return { status: 200, contentType: contentTypes.protobuf, body: [protobufList(info, items, metadata)] };
  }
  const opening = `${JSON.stringify({ ...head, metadata }).slice(0, -1)},"items":[`;
  const body: Uint8Array[] = [encoder.encode(opening)];
  for (const [i, item] of shapedItems.entries()) {
    if (i > 0) body.push(comma);
    body.push(jsonBytes(item));
  }
  body.push(listEnd);
  return { status: 200, contentType: contentTypes.json, body };
}

/** Every list message is `{ metadata[1] ListMeta, items[2] repeated }`. */
function protobufList(info: ResourceInfo, items: readonly KubeObject[], metadata: meta.ListMeta): Uint8Array {
  const meta = encodeProtobuf(schemaOf('meta.ListMeta'), metadata);
  const parts: Uint8Array[] = [fieldHead(1, meta.length), meta];
  for (const item of items) {
    const raw = protobufBytes(info, item);
    parts.push(fieldHead(2, raw.length), raw);
  }
  return encodeUnknown({ apiVersion: apiVersionOf(info), kind: info.listKind, raw: concat(parts) });
}
