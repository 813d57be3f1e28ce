import type { JsonObject } from './json.js';
import { decodeProtobuf } from './decode-protobuf.js';
import { encodeProtobuf } from './encode-protobuf.js';
import { BYTES, ProtobufError, ProtobufReader } from './protobuf-reader.js';
import { ProtobufWriter } from './protobuf-writer.js';
import type { MessageSchema } from './types.js';

/** The media type of enveloped protobuf bodies. */
export const protobufMediaType = 'application/vnd.kubernetes.protobuf';

const magic = Buffer.from('k8s\0', 'latin1');

/** The envelope around a protobuf body: `k8s\0`, then a runtime.Unknown. */
export interface Envelope {
  readonly apiVersion: string;
  readonly kind: string;
  readonly raw: Uint8Array;
  readonly contentEncoding: string;
  /** '' is protobuf. */
  readonly contentType: string;
}

export function hasProtobufMagic(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && magic.every((byte, i) => bytes[i] === byte);
}

/** Opens a body. Throws ProtobufError. */
export function decodeUnknown(bytes: Uint8Array): Envelope {
  if (!hasProtobufMagic(bytes)) {
    throw new ProtobufError('provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]');
  }
  const found = {
    apiVersion: '',
    kind: '',
    raw: new Uint8Array(0) as Uint8Array,
    contentEncoding: '',
    contentType: '',
  };
  for (const reader = new ProtobufReader(bytes, 4); !reader.done; ) {
    const tag = reader.tag();
    if (tag >>> 3 === 1) Object.assign(found, readTypeMeta(reader.nested()));
    else if (tag >>> 3 === 2) found.raw = reader.bytes();
    else if (tag >>> 3 === 3) found.contentEncoding = reader.string();
    else if (tag >>> 3 === 4) found.contentType = reader.string();
    else reader.skip(tag);
  }
  return found;
}

function readTypeMeta(reader: ProtobufReader): { apiVersion: string; kind: string } {
  const meta = { apiVersion: '', kind: '' };
  while (!reader.done) {
    const tag = reader.tag();
    if (tag >>> 3 === 1) meta.apiVersion = reader.string();
    else if (tag >>> 3 === 2) meta.kind = reader.string();
    else reader.skip(tag);
  }
  return meta;
}

/** Go always writes the last two fields, and so do we. */
export function encodeUnknown(envelope: Pick<Envelope, 'apiVersion' | 'kind' | 'raw'> & Partial<Envelope>): Uint8Array {
  const writer = new ProtobufWriter();
  writer.string(envelope.contentType ?? '');
  writer.tag(4, BYTES);
  writer.string(envelope.contentEncoding ?? '');
  writer.tag(3, BYTES);
  writer.bytes(envelope.raw);
  writer.tag(2, BYTES);
  const before = writer.position;
  writer.string(envelope.kind);
  writer.tag(2, BYTES);
  writer.string(envelope.apiVersion);
  writer.tag(1, BYTES);
  writer.varint(writer.position - before);
  writer.tag(1, BYTES);
  writer.raw(magic);
  return writer.finish();
}

/**
 * Reads an enveloped body of a known type into its JSON form, with the envelope's `apiVersion` and `kind`. Whether those
 * are the right ones is the caller's question. Throws ProtobufError.
 */
export function decodeProtobufObject<T = JsonObject>(schema: MessageSchema, bytes: Uint8Array): T {
  const { apiVersion, kind, raw } = decodeUnknown(bytes);
  return { kind, apiVersion, ...decodeProtobuf(schema, raw) } as T;
}

/**
 * An object as an enveloped body. `apiVersion` and `kind` are the object's own, else those of its schema. Custom
 * resources have no protobuf form upstream either: answer those in JSON.
 */
export function encodeProtobufObject(
  target: MessageSchema | { readonly schema: MessageSchema },
  object: object,
): Uint8Array {
  const schema = 'schema' in target ? target.schema : target;
  const { apiVersion, kind } = object as { apiVersion?: string; kind?: string };
  return encodeUnknown({
    apiVersion: apiVersion ?? schema.kindOf?.replace(/^\//, '') ?? '',
    kind: kind ?? schema.name,
    raw: encodeProtobuf(schema, object),
  });
}

/**
 * One frame of a watch in `application/vnd.kubernetes.protobuf;stream=watch`: four bytes of length, big endian, then
 * a bare `WatchEvent { type[1], object[2] RawExtension { raw[1] } }`. Only the object in it is enveloped: upstream writes
 * the event with its raw serializer, the object with the ordinary one.
 */
export function encodeWatchFrame(type: string, object: Uint8Array): Uint8Array {
  const writer = new ProtobufWriter();
  const before = writer.position;
  writer.bytes(object);
  writer.tag(1, BYTES);
  writer.varint(writer.position - before);
  writer.tag(2, BYTES);
  writer.string(type);
  writer.tag(1, BYTES);
  const event = writer.finish();
  const frame = Buffer.allocUnsafe(4 + event.length);
  frame.writeUInt32BE(event.length);
  frame.set(event, 4);
  return frame;
}
