import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';

/** What the built-in programs need of a request. */
export interface Request {
  method: string;
  /** Without the query. */
  path: string;
  query: URLSearchParams;
  headers: IncomingHttpHeaders;
  body: Buffer;
  raw: IncomingMessage;
}

export interface Reply {
  status?: number;
  headers?: Record<string, string | string[]>;
  body?: string | Buffer;
}

export const json = (value: unknown, status = 200): Reply => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(value),
});

export const html = (text: string, status = 200): Reply => ({
  status,
  headers: { 'content-type': 'text/html; charset=utf-8' },
  body: text,
});

export const text = (body: string, status = 200): Reply => ({
  status,
  headers: { 'content-type': 'text/plain; charset=utf-8' },
  body,
});

/** Largest request body that the built-in programs take, bytes. */
const bodyLimit = 10 << 20;

async function readBody(message: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of message as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > bodyLimit) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

let stopping = false;

async function answer(
  handler: (request: Request, response: ServerResponse) => Promise<Reply | undefined>,
  message: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(message.url ?? '/', 'http://localhost');
  const body = await readBody(message);
  const request: Request = {
    method: message.method ?? 'GET',
    path: url.pathname,
    query: url.searchParams,
    headers: message.headers,
    body: body ?? Buffer.alloc(0),
    raw: message,
  };
  const reply = body ? await handler(request, response) : text('request body too large\n', 413);
  if (!reply) return; // the handler has answered by itself
  const payload = reply.body ?? '';
  // A client that keeps its connection busy would keep a stopping server alive.
  if (stopping) response.setHeader('connection', 'close');
  response.writeHead(reply.status ?? 200, { 'content-length': String(Buffer.byteLength(payload)), ...reply.headers });
  response.end(message.method === 'HEAD' ? undefined : payload);
}

/**
 * Serves until SIGTERM, then finishes what is under way and exits with 0. A handler's failure is a 500; a handler that
 * returns undefined has written the response itself.
 */
export function serve(
  port: number,
  handler: (request: Request, response: ServerResponse) => Promise<Reply | undefined>,
  options: { host?: string; log?: (line: string) => void } = {},
): Server {
  const server = createServer({ keepAliveTimeout: 65_000 }, (message, response) => {
    response.on('finish', () => options.log?.(`${message.method} ${message.url} ${response.statusCode}`));
    answer(handler, message, response).catch((error: unknown) => {
      console.error(error);
      if (!response.headersSent) response.writeHead(500, { 'content-type': 'text/plain' });
      response.end('internal error\n');
    });
  });
  server.on('error', (error) => {
    console.error(`cannot serve on port ${port}: ${error.message}`);
    process.exit(1);
  });
  server.listen(port, options.host ?? '0.0.0.0', () => console.log(`serving on port ${port}`));
  process.on('SIGTERM', () => {
    stopping = true;
    server.close(() => process.exit(0));
    server.closeIdleConnections();
  });
  return server;
}
