import { encode } from '../codec/index.js';
import type { Push } from './server.js';
import type { EncodedResource } from './watch.js';

const framed = new WeakMap<EncodedResource, Uint8Array>();
/** DiscoveryResponse.resources is field 2. */
const resourcesTag = 2 * 8 + 2;

/**
 * The bytes of a DiscoveryResponse. A resource's own bytes are made once, whatever the number of clients that get it;
 * fields may come in any order, so what differs from client to client is simply put after them.
 */
export function encodeResponse({ version, nonce, typeUrl, resources }: Push): Uint8Array {
  const parts = resources.map(frame);
  parts.push(
    encode('envoy.service.discovery.v3.DiscoveryResponse', { version_info: version, type_url: typeUrl, nonce }),
  );
  const out = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function frame(resource: EncodedResource): Uint8Array {
  let bytes = framed.get(resource);
  if (!bytes) {
    const any = encode('google.protobuf.Any', resource.body);
    const head = [resourcesTag];
    for (let rest = any.length; ; rest >>>= 7) {
      head.push(rest < 0x80 ? rest : (rest & 0x7f) | 0x80);
      if (rest < 0x80) break;
    }
    bytes = new Uint8Array(head.length + any.length);
    bytes.set(head);
    bytes.set(any, head.length);
    framed.set(resource, bytes);
  }
  return bytes;
}
