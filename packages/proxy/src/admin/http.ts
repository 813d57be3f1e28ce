import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { describeError, errorCode, type Logger, sleep, type Clock } from '@flotilla/base';

export interface AdminRequest {
  method: string;
  path: string;
  query: URLSearchParams;
}

export interface AdminResponse {
  status: number;
  type: string;
  body: string;
}

export type AdminHandler = (request: AdminRequest) => AdminResponse | Promise<AdminResponse>;

export const text = (body: string, status = 200): AdminResponse => ({
  status,
  type: 'text/plain; charset=UTF-8',
  body,
});
export const json = (value: unknown): AdminResponse => ({
  status: 200,
  type: 'application/json',
  body: `${JSON.stringify(value, null, 1)}\n`,
});
export const prometheus = (body: string): AdminResponse => ({ status: 200, type: 'text/plain; version=0.0.4', body });

/** A small HTTP server of the proxy's own. A port that is taken is tried again: the predecessor may still be leaving. */
export async function serveAdmin(
  address: string,
  port: number,
  handler: AdminHandler,
  { clock, logger, signal }: { clock: Clock; logger: Logger; signal: AbortSignal },
): Promise<Server> {
  const server = createServer({ keepAliveTimeout: 5000 }, (req, res) => void answer(req, res, handler));
  server.on('clientError', (_error, socket) => socket.destroy());
  for (let tries = 0; ; tries++) {
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(port, address, () => {
          server.off('error', reject);
          server.on('error', (error) => logger.warn('admin server', { error: describeError(error) }));
          resolve();
        });
      });
      return server;
    } catch (error) {
      if (tries === 0) logger.warn('cannot listen', { address: `${address}:${port}`, code: errorCode(error) });
      await sleep(clock, 200, signal);
    }
  }
}

async function answer(req: IncomingMessage, res: ServerResponse, handler: AdminHandler): Promise<void> {
  req.resume();
  res.on('error', () => {});
  const [path = '', query = ''] = (req.url ?? '').split('?');
  let response: AdminResponse;
  try {
    response = await handler({ method: req.method ?? 'GET', path, query: new URLSearchParams(query) });
  } catch (error) {
    response = text(`${describeError(error)}\n`, 500);
  }
  const length = Buffer.byteLength(response.body);
  res.writeHead(response.status, {
    'content-type': response.type,
    'content-length': length,
    'cache-control': 'no-cache, max-age=0',
  });
  res.end(req.method === 'HEAD' ? '' : response.body);
}
