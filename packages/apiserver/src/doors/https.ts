import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { badRequest, StatusError, tooLarge, unauthorized } from '@flotilla/api';
import { describeError, type Logger, NamedError } from '@flotilla/base';
import { userOfCertificate } from '../authenticate.js';
import { errorResponse } from '../errors.js';
import type { Metrics } from '../metrics.js';
import type { Pipeline } from '../pipeline.js';
import { type Request, type Response, type ResponseSink, type User, warningHeader } from '../request.js';

export interface HttpsDoorOptions {
  host: string;
  port: number;
  /** PEM texts. Clients prove who they are with certificates of this CA. */
  tls: { ca: string; cert: string; key: string };
  pipeline: Pipeline;
  metrics: Metrics;
  logger: Logger;
}

export interface HttpsDoor {
  readonly address: { host: string; port: number };
  /** Takes no more requests, ends watches, and resolves when all connections are closed. */
  stop(): Promise<void>;
}

/** Upstream's limit of a request body, bytes. */
const maxBody = 3 * 1024 * 1024;

/** The client is gone; nobody is left to be told. */
class ClientGone extends NamedError {
  constructor() {
    super('ClientGone', 'the client has closed the connection');
  }
}

/** Opens the HTTPS door. Rejects when the address is taken. */
export async function openHttpsDoor(options: HttpsDoorOptions): Promise<HttpsDoor> {
  const { tls, host, port } = options;
  const stopping = new AbortController();
  const server = createServer({
    ...tls,
    // Everyone may connect; who shows no certificate of ours is anonymous, who shows a wrong one is refused with words.
    requestCert: true,
    rejectUnauthorized: false,
    minVersion: 'TLSv1.2',
    keepAliveTimeout: 60_000,
    headersTimeout: 15_000,
    requestTimeout: 60_000,
  });
  server.on('request', (incoming: IncomingMessage, outgoing: ServerResponse) => {
    serve(incoming, outgoing, options, stopping.signal).catch((error: unknown) => {
      if (!(error instanceof ClientGone)) options.logger.warn('a response broke off', { error: describeError(error) });
      outgoing.destroy();
    });
  });
  // Handshakes that fail are the client's business.
  server.on('tlsClientError', (error, socket) => {
    options.logger.debug('a TLS handshake failed', { error: describeError(error) });
    socket.destroy();
  });
  server.listen(port, host);
  await once(server, 'listening');
  const { port: actual } = server.address() as AddressInfo;
  return { address: { host, port: actual }, stop: () => stop(server, stopping) };
}

async function stop(server: Server, stopping: AbortController): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  stopping.abort(new ClientGone());
  server.closeIdleConnections();
  // What does not end by itself in a moment is cut off.
  const timer = setTimeout(() => server.closeAllConnections(), 1000);
  await closed;
  clearTimeout(timer);
}

/** By the client's certificate. `refused`: there is one, and it is not of our CA or not valid. */
function authenticate(socket: TLSSocket): User | undefined | 'refused' {
  const peer = socket.getPeerCertificate();
  if (!peer || Object.keys(peer).length === 0) return undefined;
  if (!socket.authorized) return 'refused';
  return userOfCertificate(peer.subject as { CN?: string | string[]; O?: string | string[] }) ?? 'refused';
}

const users = new WeakMap<TLSSocket, { user: ReturnType<typeof authenticate> }>();

/** Once per connection: reading a certificate is slow. */
function userOf(socket: TLSSocket): ReturnType<typeof authenticate> {
  let known = users.get(socket);
  if (!known) users.set(socket, (known = { user: authenticate(socket) }));
  return known.user;
}

async function readBody(incoming: IncomingMessage): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBody) throw tooLarge(`limit is ${maxBody}`);
    chunks.push(chunk);
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}

const headerOf = (incoming: IncomingMessage, name: string): string | undefined => {
  const value = incoming.headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
};

function requestOf(incoming: IncomingMessage, user: User | undefined, signal: AbortSignal): Request {
  const url = incoming.url ?? '/';
  const at = url.indexOf('?');
  return {
    method: incoming.method === 'HEAD' ? 'GET' : (incoming.method ?? 'GET'),
    path: at < 0 ? url : url.slice(0, at),
    query: new URLSearchParams(at < 0 ? '' : url.slice(at + 1)),
    user,
    accept: headerOf(incoming, 'accept'),
    contentType: headerOf(incoming, 'content-type'),
    ifNoneMatch: headerOf(incoming, 'if-none-match'),
    userAgent: headerOf(incoming, 'user-agent'),
    body: new Uint8Array(),
    signal,
  };
}

async function serve(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  options: HttpsDoorOptions,
  stopping: AbortSignal,
): Promise<void> {
  const gone = new AbortController();
  outgoing.on('close', () => gone.abort(new ClientGone()));
  const user = userOf(incoming.socket as TLSSocket);
  const request = requestOf(incoming, user === 'refused' ? undefined : user, AbortSignal.any([gone.signal, stopping]));
  let response: Response;
  try {
    // A bearer token or a wrong certificate is an attempt to be someone: it must not end up as nobody in particular.
    if (user === 'refused' || (user === undefined && incoming.headers.authorization !== undefined))
      throw unauthorized();
    request.body = await readBody(incoming);
    response = await options.pipeline.handle(request);
  } catch (error) {
    if (gone.signal.aborted) throw new ClientGone();
    const said = error instanceof StatusError ? error : badRequest(`cannot read the request: ${describeError(error)}`);
    response = await errorResponse(said, request, options.logger);
    outgoing.setHeader('connection', 'close');
  }
  await send(incoming, outgoing, response, request.signal, options.metrics);
}

async function send(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  response: Response,
  signal: AbortSignal,
  metrics: Metrics,
): Promise<void> {
  const { status, contentType, headers, warnings, body } = response;
  outgoing.statusCode = status;
  if (status !== 304) outgoing.setHeader('content-type', contentType);
  outgoing.setHeader('cache-control', 'no-cache, private');
  for (const [name, value] of Object.entries(headers ?? {})) outgoing.setHeader(name, value);
  if (warnings?.length) outgoing.setHeader('warning', warnings.map(warningHeader));
  if (typeof body !== 'function') return sendWhole(incoming, outgoing, body);
  outgoing.flushHeaders();
  const ended = metrics.longRunning();
  try {
    await body(sinkOf(outgoing, signal), signal);
  } finally {
    ended();
  }
  outgoing.end();
}

function sendWhole(incoming: IncomingMessage, outgoing: ServerResponse, body: readonly Uint8Array[]): void {
  if (incoming.method === 'HEAD' || outgoing.statusCode === 304) {
    outgoing.end();
    return;
  }
  const size = body.reduce((sum, piece) => sum + piece.length, 0);
  outgoing.setHeader('content-length', size);
  // Many small writes would become as many TLS records.
  outgoing.end(body.length === 1 ? body[0] : Buffer.concat(body, size));
}

function sinkOf(outgoing: ServerResponse, signal: AbortSignal): ResponseSink {
  return {
    async write(frame) {
      signal.throwIfAborted();
      if (outgoing.write(frame)) return;
      await once(outgoing, 'drain', { signal });
    },
  };
}
