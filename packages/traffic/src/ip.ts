import type { CidrRange } from '@flotilla/xds';
import { InvalidConfig } from './invalid.js';

/** An address as 128 bits; IPv4 is mapped (::ffff:a.b.c.d), so that both families compare alike. */
export function parseIp(text: string): bigint | undefined {
  if (!text.includes(':')) {
    const v4 = parseV4(text);
    return v4 === undefined ? undefined : mapped + BigInt(v4);
  }
  const [head = '', tail, ...more] = text.split('::');
  if (more.length > 0) return undefined;
  const left = groups(head);
  const right = tail === undefined ? [] : groups(tail);
  if (!left || !right) return undefined;
  const gap = 8 - left.length - right.length;
  if (tail === undefined ? gap !== 0 : gap < 1) return undefined;
  return [...left, ...Array<number>(gap).fill(0), ...right].reduce((sum, g) => (sum << 16n) | BigInt(g), 0n);
}

const mapped = 0xffffn << 32n;

function parseV4(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256)) return undefined;
  return parts.reduce((sum, part) => sum * 256 + Number(part), 0);
}

function groups(text: string): number[] | undefined {
  if (text === '') return [];
  const out: number[] = [];
  for (const part of text.split(':')) {
    const v4 = part.includes('.') ? parseV4(part) : undefined;
    if (v4 !== undefined) out.push(v4 >>> 16, v4 & 0xffff);
    else if (/^[0-9a-fA-F]{1,4}$/.test(part)) out.push(Number.parseInt(part, 16));
    else return undefined;
  }
  return out;
}

/** Length of the prefix if the address is in the range (IPv4 counted as 96 + its own), or -1. */
export type RangeTest = (ip: bigint | undefined) => number;

export function compileRange(range: CidrRange, path: string): RangeTest {
  const text = range.address_prefix ?? '';
  const base = parseIp(text);
  const most = text.includes(':') ? 128 : 32;
  const length = range.prefix_len ?? 0;
  if (base === undefined || length > most) throw new InvalidConfig(path, `'${text}/${length}' is not an address range`);
  const significant = length + (128 - most);
  const shift = BigInt(128 - significant);
  return (ip) => (ip !== undefined && ip >> shift === base >> shift ? significant : -1);
}
