/** Who asks, as the door proved it: by certificate, or by the identity token of a NATS subject. */
export interface User {
  name: string;
  groups: readonly string[];
}

export const anonymous: User = { name: 'system:anonymous', groups: ['system:unauthenticated'] };

/** One API request, whichever door it came in by. Nothing of Node's http or of NATS in it. */
export interface Request {
  /** `HEAD` arrives as `GET`: the door drops the body. */
  method: string;
  /** The path without query, percent-encoding intact. */
  path: string;
  query: URLSearchParams;
  /** Undefined when the door could not tell who asks. */
  user: User | undefined;
  accept: string | undefined;
  contentType: string | undefined;
  ifNoneMatch: string | undefined;
  userAgent: string | undefined;
  body: Uint8Array;
  /** Aborts when the client is gone, or when the server stops. */
  signal: AbortSignal;
}

/** Where a streaming response goes. `write` waits while the client is slow and rejects when it is gone. */
export interface ResponseSink {
  write(frame: Uint8Array): Promise<void>;
}

export interface Response {
  status: number;
  contentType: string;
  headers?: Readonly<Record<string, string>>;
  /** Texts for `Warning` headers, unquoted. kubectl prints them. */
  warnings?: readonly string[];
  /** Whole bodies come in pieces, so that lists of cached objects are never copied together. */
  body: readonly Uint8Array[] | ((sink: ResponseSink, signal: AbortSignal) => Promise<void>);
}

/** One `Warning` header as kubectl parses it: code 299, agent "-", quoted text (RFC 7234, 5.5). */
export function warningHeader(text: string): string {
  return `299 - "${text.replace(/[\\"]/g, '\\$&').replace(/[\r\n]+/g, ' ')}"`;
}

const encoder = new TextEncoder();

export function jsonResponse(status: number, value: unknown, headers?: Record<string, string>): Response {
  return {
    status,
    contentType: 'application/json',
    body: [encoder.encode(`${JSON.stringify(value)}\n`)],
    ...(headers ? { headers } : {}),
  };
}

export function textResponse(status: number, text: string, contentType = 'text/plain; charset=utf-8'): Response {
  return {
    status,
    contentType,
    body: [encoder.encode(text)],
    headers: { 'x-content-type-options': 'nosniff' },
  };
}
