import { encodeProtobuf, type KubeObject, type ResourceInfo } from '@flotilla/api';

const encoder = new TextEncoder();

/**
 * Serialised forms by object identity. Stored objects never change, so each revision is encoded at most once per media
 * type however many clients read it, and the bytes go when the object goes.
 */
const json = new WeakMap<object, Uint8Array>();
const protobuf = new WeakMap<object, Uint8Array>();

export function jsonBytes(object: object): Uint8Array {
  let bytes = json.get(object);
  if (!bytes) json.set(object, (bytes = encoder.encode(JSON.stringify(object))));
  return bytes;
}

/** The object's protobuf message, without envelope. */
export function protobufBytes(info: ResourceInfo, object: KubeObject): Uint8Array {
  let bytes = protobuf.get(object);
  if (!bytes) protobuf.set(object, (bytes = encodeProtobuf(info.schema, object)));
  return bytes;
}

/** For `?pretty=true` and people with curl. */
export function prettyBytes(object: object): Uint8Array {
  return encoder.encode(`${JSON.stringify(object, null, 2)}\n`);
}

let stringify: ((value: unknown) => string) | undefined;

/** YAML is rare and its library slow to load, so it is loaded on first use. */
export async function yamlBytes(object: object): Promise<Uint8Array> {
  stringify ??= (await import('yaml')).stringify;
  return encoder.encode(stringify(object));
}
