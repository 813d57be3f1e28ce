import { type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http';
import type { Readable, Writable } from 'node:stream';
import { errorCode } from '@flotilla/base';
import { HeaderList, type Reset, type ResetReason } from '@flotilla/traffic';
import type { Lease } from './connection-pool.js';

export interface UpstreamHead {
  method: string;
  path: string;
  /** Lower case; `host` included, hop-by-hop fields not. */
  headers: readonly string[];
  /** Length is not known beforehand: send it chunked. */
  chunked: boolean;
}

export interface UpstreamResponse {
  status: number;
  reason: string;
  version: string;
  headers: HeaderList;
  body: Readable;
}

export interface UpstreamHandlers {
  onResponse(response: UpstreamResponse): void;
  /** Before the response: no `onResponse` follows. */
  onReset(reset: Reset): void;
}

/** One request on a leased connection. */
export interface UpstreamExchange {
  /** To be ended even if there is no body. */
  body: Writable;
  /** Gives up: the connection is closed. */
  cancel(): void;
}

/**
 * Sends one HTTP/1.1 request over a connection, and gives the connection back when the response has been read to its end
 * (or closes it). Serializing and parsing are Node's.
 */
export function exchange(lease: Lease, head: UpstreamHead, handlers: UpstreamHandlers): UpstreamExchange {
  const { socket } = lease;
  const before = socket.bytesRead;
  let state: 'waiting' | 'responded' | 'over' = 'waiting';
  const fail = (reason: ResetReason): void => {
    const wasWaiting = state === 'waiting';
    if (state !== 'over') lease.release(false);
    state = 'over';
    const staleConnection = lease.reused && socket.bytesRead === before;
    if (wasWaiting) handlers.onReset({ reason, requestSent: true, staleConnection });
  };
  const headers = [...head.headers, 'connection', 'keep-alive'];
  if (head.chunked) headers.push('transfer-encoding', 'chunked');
  const req: ClientRequest = httpRequest({
    createConnection: () => socket,
    method: head.method,
    path: head.path,
    headers,
    setHost: false,
    maxHeaderSize: 64 * 1024,
  });
  // Without an agent Node would close the socket; with this it leaves it open and says `free` on it after the response.
  req.shouldKeepAlive = true;
  const onFree = (): void => {
    if (state !== 'responded') return;
    state = 'over';
    lease.release(true);
  };
  socket.once('free', onFree);
  req.once('close', () => socket.destroyed && socket.off('free', onFree));
  req.on('error', (error) => fail(resetReason(error)));
  req.once('response', (res: IncomingMessage) => {
    if (state !== 'waiting') return void res.destroy();
    state = 'responded';
    res.once('close', () => {
      if (!res.complete) fail('connection termination');
    });
    // Not kept alive: Node ends the socket itself, `free` never comes.
    res.once('end', () => setImmediate(() => socket.destroyed && onFree()));
    handlers.onResponse({
      status: res.statusCode ?? 0,
      reason: res.statusMessage ?? '',
      version: res.httpVersion,
      headers: HeaderList.fromRaw(res.rawHeaders),
      body: res,
    });
  });
  // A protocol switch that was not asked for.
  req.once('upgrade', () => fail('protocol error'));
  socket.resume();
  return {
    body: req,
    cancel() {
      if (state === 'over') return;
      state = 'over';
      req.destroy();
      lease.release(false);
    },
  };
}

function resetReason(error: Error): ResetReason {
  const code = errorCode(error) ?? '';
  return code.startsWith('HPE_') ? 'protocol error' : 'connection termination';
}
