import type { ClientRequest, IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import type { Socket } from 'node:net';
import { HeaderList } from '@flotilla/traffic';
import type { DownstreamUpgrade } from './http-server.js';

export interface TunnelOptions {
  address: string;
  port: number;
  localAddress?: string;
  /** Milliseconds without a byte in either direction; 0 is for ever. */
  idleTimeout: number;
  path: string;
  /** The request's headers as they go upstream, `host`, `connection` and `upgrade` included. */
  headers: HeaderList;
  /** Sees the response's head, and may change its headers (lower case). */
  onResponse(status: number, headers: HeaderList): void;
}

export interface TunnelResult {
  /** Of the upstream; 0 if it never answered. */
  status: number;
  received: number;
  sent: number;
  error?: Error;
}

type Proxy = import('http-proxy');
let shared: Promise<Proxy> | undefined;

/** The package is loaded with the first tunnel, not at start. */
function loadProxy(): Promise<Proxy> {
  shared ??= import('http-proxy').then(({ default: httpProxy }) => httpProxy.createProxyServer({ xfwd: false }));
  return shared;
}

/**
 * Carries a WebSocket by the package http-proxy, and does what it leaves undone: a client that goes away cancels the
 * upstream, hop-by-hop fields of a refusal do not pass, sockets that fall silent are closed. Resolves when it is over.
 */
export async function tunnel(upgrade: DownstreamUpgrade, options: TunnelOptions): Promise<TunnelResult> {
  const proxy = await loadProxy();
  const { message, socket, bytes } = upgrade;
  const result: TunnelResult = { status: 0, received: 0, sent: 0 };
  if (socket.destroyed) return result;
  const before = { read: socket.bytesRead, written: socket.bytesWritten };
  message.headers = headerObject(options.headers) as IncomingMessage['headers'];
  return await new Promise((resolve) => {
    let upstream: ClientRequest | undefined;
    socket.once('close', () => {
      upstream?.destroy();
      result.received = socket.bytesRead - before.read;
      result.sent = socket.bytesWritten - before.written;
      resolve(result);
    });
    const onRequest = (request: ClientRequest): void => {
      upstream = request;
      // http-proxy joins URLs its own way; the path is ours to say.
      request.path = options.path;
      watchAnswer(request, result, socket, options);
    };
    const onError = (error: Error): void => {
      result.error = error;
      if (result.status === 0) upgrade.refuse(503, new HeaderList(['content-type', 'text/plain']), refusal);
      else socket.destroy();
    };
    const target = { host: options.address, port: String(options.port), protocol: 'http:' };
    const local = options.localAddress === undefined ? {} : { localAddress: options.localAddress };
    // `toProxy` spares http-proxy parsing a URL whose path is replaced anyway, by a function that Node has deprecated.
    // The event is emitted before `ws` returns, so that it can only be about this request.
    proxy.on('proxyReqWs', onRequest);
    proxy.ws(message, socket, bytes, { target, toProxy: true, ...local }, onError);
    proxy.off('proxyReqWs', onRequest);
    // Half a WebSocket is of no use: what is still on its way gets a moment.
    socket.once('end', () => socket.setTimeout(1000, () => socket.destroy()));
    if (options.idleTimeout > 0) socket.setTimeout(options.idleTimeout, () => socket.destroy());
  });
}

const refusal = 'upstream connect error or disconnect/reset before headers. reset reason: connection termination';

function headerObject(headers: HeaderList): OutgoingHttpHeaders {
  const out: Record<string, string | string[]> = {};
  for (const [name, value] of headers.entries()) {
    const present = out[name];
    out[name] = present === undefined ? value : [...(Array.isArray(present) ? present : [present]), value];
  }
  return out;
}

/** Registered before http-proxy's own listeners, so that those see the corrected headers. */
function watchAnswer(request: ClientRequest, result: TunnelResult, socket: Socket, options: TunnelOptions): void {
  const correct = (response: IncomingMessage, hopByHop: readonly string[]): void => {
    result.status = response.statusCode ?? 0;
    const headers = HeaderList.fromRaw(response.rawHeaders);
    for (const name of hopByHop) headers.remove(name);
    options.onResponse(result.status, headers);
    if (hopByHop.length > 0) headers.set('connection', 'close');
    response.headers = headerObject(headers) as IncomingMessage['headers'];
  };
  request.on('response', (response: IncomingMessage) => {
    // http-proxy writes the head by itself and pipes the decoded body: the connection's end must mark the body's end.
    correct(response, ['transfer-encoding', 'connection', 'keep-alive', 'proxy-connection', 'upgrade']);
    response.once('end', () => socket.end());
  });
  request.on('upgrade', (response: IncomingMessage, upstream: Socket) => {
    correct(response, []);
    socket.once('close', () => upstream.destroy());
    upstream.once('close', () => socket.destroySoon());
  });
}
