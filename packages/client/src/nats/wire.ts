import { headers, type MsgHdrs } from 'nats';
import type { ApiRequest } from '../transport.js';

/** Who asks and what, as it came in. */
export interface IncomingRequest {
  /** Tokens of the subject, e.g. `['api', 'node-1', 'request']`. Permissions of NATS make them trustworthy. */
  tokens: string[];
  /** Names as sent. */
  headers: Record<string, string>;
  body: Uint8Array;
}

/** An API request that came in over NATS. */
export interface IncomingApiRequest extends ApiRequest {
  /** The second token of the subject: the NATS user. */
  identity: string;
  body: Uint8Array;
}

/** Headers of our protocol over NATS; see README.md. */
export const h = {
  method: 'Method',
  path: 'Path',
  accept: 'Accept',
  contentType: 'Content-Type',
  status: 'Status',
  /** Of a body that takes several messages: how many, and which one this is, from 0. */
  parts: 'Parts',
  part: 'Part',
  /** Where a request's further parts go: `stream.<identity>.<id>.up`. */
  stream: 'Stream-Id',
  /** Asks whether the request with this reply subject is being worked on. */
  probe: 'Probe',
  /** Names the sender's end of its connection. */
  peer: 'Stream-Peer',
  /** Bytes that the sender of the header is ready to take. */
  credit: 'Stream-Credit',
} as const;

/** Bodies are cut into messages of at most this many bytes, so that `max_payload` is no cliff and nothing hogs a link. */
export const partSize = 512 * 1024;

export function toHeaders(record: Record<string, string>): MsgHdrs {
  const out = headers();
  for (const [name, value] of Object.entries(record)) out.set(name, value);
  return out;
}

export function fromHeaders(hdrs: MsgHdrs | undefined): Record<string, string> {
  const out: Record<string, string> = {};
  for (const name of hdrs?.keys() ?? []) out[name] = hdrs!.get(name);
  return out;
}

export function requestHeaders(request: ApiRequest): Record<string, string> {
  const query = new URLSearchParams(request.query ?? {}).toString();
  return {
    [h.method]: request.method,
    [h.path]: query ? `${request.path}?${query}` : request.path,
    ...(request.accept ? { [h.accept]: request.accept } : {}),
    ...(request.contentType ? { [h.contentType]: request.contentType } : {}),
  };
}

const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

/** The API request in an incoming one, or undefined if it is not one. */
export function apiRequestOf(request: IncomingRequest): IncomingApiRequest | undefined {
  const method = methods.find((m) => m === request.headers[h.method]);
  const target = request.headers[h.path];
  const identity = request.tokens[1];
  if (!method || !target?.startsWith('/') || !identity) return undefined;
  const mark = target.indexOf('?');
  const accept = request.headers[h.accept];
  const contentType = request.headers[h.contentType];
  return {
    identity,
    method,
    path: mark < 0 ? target : target.slice(0, mark),
    query: mark < 0 ? {} : Object.fromEntries(new URLSearchParams(target.slice(mark + 1))),
    ...(accept ? { accept } : {}),
    ...(contentType ? { contentType } : {}),
    body: request.body,
  };
}

/** A body in messages' worth of bytes; at least one. */
export function split(body: Uint8Array, size: number): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = 0; at === 0 || at < body.length; at += size) parts.push(body.subarray(at, at + size));
  return parts;
}

/** Puts the parts of one body together again. They must come in order: one that is missing will never come. */
export class PartAssembly {
  readonly #parts: Uint8Array[] = [];

  /** The whole body once the last part is there, `'more'` before, `'broken'` after a gap. */
  add(headersOfPart: Record<string, string>, data: Uint8Array): Uint8Array | 'more' | 'broken' {
    const total = Number(headersOfPart[h.parts] ?? 1);
    if (Number(headersOfPart[h.part] ?? 0) !== this.#parts.length) return 'broken';
    this.#parts.push(data);
    if (this.#parts.length < total) return 'more';
    return this.#parts.length === 1 ? data : Buffer.concat(this.#parts);
  }
}
