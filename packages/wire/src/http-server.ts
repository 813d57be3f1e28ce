import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { HeaderList } from '@flotilla/traffic';

export interface HttpServerOptions<C> {
  /** Bytes of a request's head; above it the answer is 431. */
  maxHeaderBytes: number;
  /** Milliseconds without a request before an idle connection is closed; 0 is for ever. */
  idleTimeout: number;
  onRequest(request: DownstreamRequest, connection: C): void;
  /** An Upgrade (other than h2c) or CONNECT. */
  onUpgrade(upgrade: DownstreamUpgrade, connection: C): void;
  /** Bytes that are not HTTP: already answered (400 or 431); for statistics and the access log. */
  onProtocolError(status: number, connection: C): void;
}

/** The head of a request as it came, names in lower case, hop-by-hop fields still there. */
export interface DownstreamHead {
  method: string;
  /** Origin or absolute form, as sent. */
  target: string;
  version: '1.0' | '1.1';
  headers: HeaderList;
}

/** One request on a downstream connection, and the way to answer it. */
export interface DownstreamRequest extends DownstreamHead {
  /** Undefined if the request has no body. Paused until read. */
  body: Readable | undefined;
  /** Starts the response; the body is written to, and ended on, the stream returned. */
  respond(status: number, headers: HeaderList, options: { reason?: string; close: boolean }): Writable;
  /** Tears the connection down: what was sent so far is all the client gets. */
  reset(): void;
  /** Called once if the client goes away before the response is complete. */
  onAbort(fn: () => void): void;
  /** Called once when the response is complete or the connection is gone. */
  onClose(fn: () => void): void;
}

export interface DownstreamUpgrade extends DownstreamHead {
  /** Lower case; `connect` for the method of that name. */
  protocol: string;
  message: IncomingMessage;
  socket: Socket;
  /** Bytes that came after the head. */
  bytes: Buffer;
  /** Refuses: a plain response, then the connection is closed. */
  refuse(status: number, headers: HeaderList, body: string): void;
}

/**
 * The HTTP/1 side of a listener: takes sockets that were accepted elsewhere and yields requests. Parsing is Node's.
 */
export class HttpServer<C> {
  readonly #server: Server;
  readonly #options: HttpServerOptions<C>;
  readonly #connections = new Map<Socket, { value: C; active: number }>();
  #draining = false;

  constructor(options: HttpServerOptions<C>) {
    this.#options = options;
    this.#server = createServer({
      maxHeaderSize: options.maxHeaderBytes,
      keepAliveTimeout: options.idleTimeout,
      noDelay: true,
    });
    // Node would drop what exceeds its count in silence; who cares about the number counts for himself.
    this.#server.maxHeadersCount = 0;
    this.#server.requestTimeout = 0;
    this.#server.timeout = 0;
    this.#server.on('request', (req: IncomingMessage, res: ServerResponse) => this.#onRequest(req, res));
    this.#server.on('upgrade', (req: IncomingMessage, socket: Socket, bytes: Buffer) =>
      this.#onUpgrade(req, socket, bytes),
    );
    this.#server.on('connect', (req: IncomingMessage, socket: Socket, bytes: Buffer) =>
      this.#onUpgrade(req, socket, bytes),
    );
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) =>
      this.#onClientError(error, socket),
    );
  }

  /** Open connections. */
  get size(): number {
    return this.#connections.size;
  }

  /** Takes over a paused socket. */
  accept(socket: Socket, connection: C): void {
    this.#connections.set(socket, { value: connection, active: 0 });
    socket.once('close', () => this.#connections.delete(socket));
    this.#server.emit('connection', socket);
    socket.resume();
  }

  /** Closes idle connections; the others are closed when their response ends. */
  drain(): void {
    this.#draining = true;
    for (const [socket, { active }] of this.#connections) if (active === 0) socket.destroy();
  }

  #onRequest(req: IncomingMessage, res: ServerResponse): void {
    const entry = this.#connections.get(req.socket);
    if (!entry) return void req.socket.destroy();
    entry.active++;
    res.once('close', () => {
      entry.active--;
      if (this.#draining && entry.active === 0) req.socket.end();
    });
    this.#options.onRequest(new Http1Request(req, res, () => this.#draining), entry.value);
  }

  #onUpgrade(req: IncomingMessage, socket: Socket, bytes: Buffer): void {
    const entry = this.#connections.get(socket);
    if (!entry) return void socket.destroy();
    const protocol = req.method === 'CONNECT' ? 'connect' : (req.headers.upgrade ?? '').toLowerCase();
    if (protocol === 'h2c' || protocol.startsWith('h2c,')) return this.#ignoreUpgrade(req, socket, bytes);
    entry.active++;
    socket.once('close', () => entry.active--);
    socket.on('error', () => {});
    const refuse = (status: number, headers: HeaderList, body: string): void => {
      socket.end(rawResponse(status, headers, body));
    };
    this.#options.onUpgrade({ ...headOf(req), protocol, message: req, socket, bytes, refuse }, entry.value);
  }

  /**
   * `Upgrade: h2c` is an offer that a server may ignore (RFC 9113 dropped it), and some clients make it on every first
   * request. Node's parser has let go of the connection by now: the request is put back without the offer, and read anew.
   */
  #ignoreUpgrade(req: IncomingMessage, socket: Socket, bytes: Buffer): void {
    const lines = [`${req.method} ${req.url} HTTP/${req.httpVersion}`];
    for (let i = 0; i < req.rawHeaders.length; i += 2) {
      const name = req.rawHeaders[i]!;
      if (!/^(?:upgrade|http2-settings|connection)$/i.test(name)) lines.push(`${name}: ${req.rawHeaders[i + 1]}`);
    }
    socket.removeAllListeners('error');
    socket.pause();
    socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), bytes]));
    this.#server.emit('connection', socket);
    socket.resume();
  }

  #onClientError(error: NodeJS.ErrnoException, socket: Socket): void {
    const entry = this.#connections.get(socket);
    // ECONNRESET and the like: nobody is there to be answered.
    if (!error.code?.startsWith('HPE_') || !socket.writable) return void socket.destroy();
    const status = error.code === 'HPE_HEADER_OVERFLOW' ? 431 : 400;
    if (entry) this.#options.onProtocolError(status, entry.value);
    socket.end(rawResponse(status, new HeaderList(), ''), () => socket.destroy());
  }
}

function headOf(req: IncomingMessage): DownstreamHead {
  return {
    method: req.method ?? '',
    target: req.url ?? '',
    version: req.httpVersion === '1.0' ? '1.0' : '1.1',
    headers: HeaderList.fromRaw(req.rawHeaders),
  };
}

const reasons: Record<number, string> = {
  400: 'Bad Request',
  403: 'Forbidden',
  404: 'Not Found',
  431: 'Request Header Fields Too Large',
  503: 'Service Unavailable',
};

function rawResponse(status: number, headers: HeaderList, body: string): string {
  const lines = [
    `HTTP/1.1 ${status} ${reasons[status] ?? ''}`,
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ];
  for (const [name, value] of headers.entries()) lines.push(`${name}: ${value}`);
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}

class Http1Request implements DownstreamRequest {
  readonly method: string;
  readonly target: string;
  readonly version: '1.0' | '1.1';
  readonly headers: HeaderList;
  readonly body: Readable | undefined;
  readonly #req: IncomingMessage;
  readonly #res: ServerResponse;
  readonly #draining: () => boolean;

  constructor(req: IncomingMessage, res: ServerResponse, draining: () => boolean) {
    const head = headOf(req);
    this.method = head.method;
    this.target = head.target;
    this.version = head.version;
    this.headers = head.headers;
    const hasBody = req.headers['transfer-encoding'] !== undefined || Number(req.headers['content-length'] ?? 0) > 0;
    this.body = hasBody ? req : undefined;
    if (!hasBody) req.resume();
    this.#req = req;
    this.#res = res;
    this.#draining = draining;
    req.on('error', () => {});
    res.on('error', () => {});
  }

  respond(status: number, headers: HeaderList, options: { reason?: string; close: boolean }): Writable {
    const res = this.#res;
    res.sendDate = !headers.has('date');
    const flat = headers.flat as string[];
    // A body that nobody reads to its end would be taken for the next request.
    const unread = this.body !== undefined && !this.#req.complete;
    if (options.close || unread || this.#draining())
      res.writeHead(status, options.reason, [...flat, 'connection', 'close']);
    else {
      // HTTP/1.1 connections persist by default; only 1.0 clients must be told (Node does).
      if (this.version === '1.1') res.removeHeader('connection');
      res.writeHead(status, options.reason, flat);
    }
    return res;
  }

  reset(): void {
    this.#req.socket.destroy();
  }

  onAbort(fn: () => void): void {
    this.#res.once('close', () => {
      if (!this.#res.writableFinished) fn();
    });
  }

  onClose(fn: () => void): void {
    this.#res.once('close', fn);
  }
}
