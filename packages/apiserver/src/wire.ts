/** The little of protobuf that frames need: length-delimited fields around bytes that are already encoded. */

export function varint(value: number): Uint8Array {
  const out: number[] = [];
  let rest = value;
  while (rest >= 128) {
    out.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  out.push(rest);
  return Uint8Array.from(out);
}

/** Tag and length of a length-delimited field; the payload follows. */
export function fieldHead(field: number, length: number): Uint8Array {
  const tag = varint(field * 8 + 2);
  const size = varint(length);
  return concat([tag, size]);
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  let total = 0;
  for (const part of parts) total += part.length;
  const out = new Uint8Array(total);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

export const totalLength = (parts: readonly Uint8Array[]): number => parts.reduce((sum, p) => sum + p.length, 0);
