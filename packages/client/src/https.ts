import type { Agent, IncomingMessage, RequestOptions } from 'node:http';
import { errorCode } from '@flotilla/base';
import type { Kubeconfig } from './kubeconfig.js';
import { statusErrorOf } from './status.js';
import { type ApiRequest, type Transport, TransportError } from './transport.js';

export interface HttpsTransportOptions {
  /** Longest time for one request, milliseconds; 60 000 if absent. */
  timeoutMs?: number;
}

/** API requests over HTTPS (or HTTP, if the server's URL says so), HTTP/1.1 with connections kept alive. */
export function httpsTransport(config: Kubeconfig, options: HttpsTransportOptions = {}): Transport {
  return new HttpsTransport(config, options.timeoutMs ?? 60_000);
}

type Send = (url: URL, options: RequestOptions) => import('node:http').ClientRequest;

class HttpsTransport implements Transport {
  readonly #config: Kubeconfig;
  readonly #timeoutMs: number;
  #wire: Promise<{ agent: Agent; send: Send }> | undefined;

  constructor(config: Kubeconfig, timeoutMs: number) {
    this.#config = config;
    this.#timeoutMs = timeoutMs;
  }

  async request(request: ApiRequest, signal?: AbortSignal) {
    const timeout = AbortSignal.timeout(this.#timeoutMs);
    const either = signal ? AbortSignal.any([signal, timeout]) : timeout;
    try {
      const response = await this.#send(request, either);
      return { ...head(response), body: await gather(response) };
    } catch (error) {
      signal?.throwIfAborted();
      if (timeout.aborted) throw new TransportError('timeout', `no answer within ${this.#timeoutMs} ms`, error);
      throw transportError(error);
    }
  }

  async stream(request: ApiRequest, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    try {
      const response = await this.#send(request, signal);
      const { status, contentType } = head(response);
      if (status < 300) return chunks(response, signal);
      throw statusErrorOf({ status, contentType, body: await gather(response) });
    } catch (error) {
      signal.throwIfAborted();
      throw transportError(error);
    }
  }

  async close(): Promise<void> {
    (await this.#wire)?.agent.destroy();
    this.#wire = undefined;
  }

  async #send(request: ApiRequest, signal: AbortSignal): Promise<IncomingMessage> {
    signal.throwIfAborted();
    this.#wire ??= this.#open();
    const { agent, send } = await this.#wire;
    const query = new URLSearchParams(request.query ?? {}).toString();
    const url = new URL(this.#config.server.replace(/\/$/, '') + request.path + (query ? `?${query}` : ''));
    const headers = {
      accept: request.accept ?? 'application/json',
      'user-agent': 'flotilla',
      ...(request.contentType ? { 'content-type': request.contentType } : {}),
      ...(request.body ? { 'content-length': request.body.length } : {}),
      ...authorization(this.#config),
    };
    return new Promise((resolve, reject) => {
      const outgoing = send(url, { agent, method: request.method, headers, signal });
      outgoing.once('response', resolve);
      outgoing.once('error', (error) => {
        // A kept connection that the server has closed meanwhile: it cannot have taken the request's effect for granted,
        // but only a read is safe to send again without knowing.
        reject(error);
      });
      outgoing.end(request.body);
    });
  }

  /** TLS is loaded when the first request needs it. */
  async #open(): Promise<{ agent: Agent; send: Send }> {
    const { ca, cert, key, tlsServerName, insecureSkipTlsVerify } = this.#config;
    const pool = { keepAlive: true, maxSockets: 64, scheduling: 'lifo' as const };
    if (this.#config.server.startsWith('http:')) {
      const http = await import('node:http');
      return { agent: new http.Agent(pool), send: http.request };
    }
    const https = await import('node:https');
    const agent = new https.Agent({
      ...pool,
      ...(ca ? { ca } : {}),
      ...(cert ? { cert } : {}),
      ...(key ? { key } : {}),
      ...(tlsServerName ? { servername: tlsServerName } : {}),
      rejectUnauthorized: !insecureSkipTlsVerify,
    });
    return { agent, send: https.request };
  }
}

function authorization(config: Kubeconfig): Record<string, string> {
  if (config.token) return { authorization: `Bearer ${config.token}` };
  if (!config.username) return {};
  const credentials = Buffer.from(`${config.username}:${config.password ?? ''}`).toString('base64');
  return { authorization: `Basic ${credentials}` };
}

function head(response: IncomingMessage): { status: number; contentType: string } {
  return { status: response.statusCode ?? 500, contentType: response.headers['content-type'] ?? '' };
}

async function gather(response: IncomingMessage): Promise<Uint8Array> {
  const parts: Buffer[] = [];
  for await (const chunk of response) parts.push(chunk as Buffer);
  return Buffer.concat(parts);
}

async function* chunks(response: IncomingMessage, signal: AbortSignal): AsyncIterable<Uint8Array> {
  try {
    for await (const chunk of response) yield chunk as Buffer;
  } catch (error) {
    signal.throwIfAborted();
    throw transportError(error);
  } finally {
    response.destroy();
  }
}

/** Failures before the request can have reached the server. */
const neverSent = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EACCES',
  'ENOENT',
]);

function transportError(error: unknown): unknown {
  if (!(error instanceof Error) || error.name === 'StatusError') return error;
  const code = errorCode(error) ?? '';
  const tls = code.startsWith('ERR_TLS') || code.includes('CERT') || code.includes('SELF_SIGNED');
  const notSent = neverSent.has(code) || tls;
  return new TransportError(notSent ? 'unavailable' : 'disconnected', `HTTPS: ${code || error.name}`, error);
}
