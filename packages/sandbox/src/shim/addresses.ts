import { type CaptureRules, capturesInbound, capturesOutbound } from './rules.js';

/** The pod as the address decisions see it. */
export interface PodView {
  podIP: string;
  localIP: string;
  rules: CaptureRules | undefined;
  /** True if something in the pod listens on "localhost" at this port and nowhere else. */
  onlyLocal(port: number): boolean;
}

const wildcards = new Set(['0.0.0.0', '::', '']);

/** IPv4 as such where it comes dressed as IPv6. */
export function plain(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address;
}

function isLocalhost(address: string, pod: PodView): boolean {
  return address === '127.0.0.1' || address === '::1' || address === pod.localIP;
}

function captured(pod: PodView, port: number): boolean {
  return pod.rules !== undefined && (port === 0 || capturesInbound(pod.rules, port));
}

/** Where a server that asked for `address` really listens; undefined: there. */
export function bindAddress(pod: PodView, address: string, port: number): string | undefined {
  const wanted = plain(address);
  if (isLocalhost(wanted, pod)) return pod.localIP;
  if (wildcards.has(wanted)) return captured(pod, port) ? pod.localIP : pod.podIP;
  // A port of 0 may also be a client choosing its source address.
  if (wanted === pod.podIP) return port !== 0 && captured(pod, port) ? pod.localIP : pod.podIP;
  return undefined;
}

export interface Dial {
  address: string;
  port: number;
  /** The source address to bind, if any. */
  source?: string;
  /** Where the connection was meant to go: told to the proxy in a PROXY protocol header. */
  original?: { address: string; port: number };
}

/** Where a connection to `address`:`port` really goes; undefined: there, and from wherever the machine likes. */
export function dial(pod: PodView, address: string, port: number): Dial | undefined {
  const wanted = plain(address);
  if (isLocalhost(wanted, pod) || wildcards.has(wanted) || wanted === pod.podIP) return dialSelf(pod, port);
  if (pod.rules && capturesOutbound(pod.rules, wanted, port)) {
    const original = { address: wanted, port };
    return { address: pod.podIP, port: pod.rules.outboundPort, source: pod.podIP, original };
  }
  return wanted.startsWith('127.') ? { address: wanted, port, source: pod.podIP } : undefined;
}

/** A server of this pod is at the twin if its port is captured or it wanted localhost, else at the pod's address. */
function dialSelf(pod: PodView, port: number): Dial {
  const twin = captured(pod, port) || pod.onlyLocal(port);
  return { address: twin ? pod.localIP : pod.podIP, port };
}

const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');

/** PROXY protocol v2: version 2, command PROXY, TCP over IPv4 or IPv6. */
export function proxyHeader(
  source: { address: string; port: number },
  target: { address: string; port: number },
): Buffer {
  const v6 = target.address.includes(':');
  const size = v6 ? 16 : 4;
  const header = Buffer.alloc(16 + 2 * size + 4);
  signature.copy(header);
  header[12] = 0x21;
  header[13] = v6 ? 0x21 : 0x11;
  header.writeUInt16BE(2 * size + 4, 14);
  header.set(v6 ? ipv6Bytes(`::ffff:${source.address}`) : ipv4Bytes(source.address), 16);
  header.set(v6 ? ipv6Bytes(target.address) : ipv4Bytes(target.address), 16 + size);
  header.writeUInt16BE(source.port, 16 + 2 * size);
  header.writeUInt16BE(target.port, 18 + 2 * size);
  return header;
}

function ipv4Bytes(address: string): number[] {
  return address.split('.').map(Number);
}

/** RFC 4291 text form, with `::` and a dotted end. */
function ipv6Bytes(text: string): number[] {
  const [address = ''] = text.split('%');
  const dotted = /(\d+\.\d+\.\d+\.\d+)$/.exec(address)?.[1];
  const tail = dotted ? ipv4Bytes(dotted) : [];
  const hex = dotted ? address.slice(0, -dotted.length).replace(/([^:]):$/, '$1') : address;
  const [head = '', rest] = hex.split('::');
  const groups = (part: string): number[] =>
    part
      .split(':')
      .filter(Boolean)
      .flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 255]);
  const left = groups(head);
  const right = [...groups(rest ?? ''), ...tail];
  return [...left, ...Array<number>(Math.max(0, 16 - left.length - right.length)).fill(0), ...right].slice(0, 16);
}
