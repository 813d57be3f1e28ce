import { describeError, type Logger } from '@flotilla/base';
import type { Msg, NatsConnection } from 'nats';
import type { ApiResponse } from '../transport.js';
import { hear, type Link, linkOf } from './link.js';
import { answerProbe } from './probe.js';
import {
  apiRequestOf,
  fromHeaders,
  h,
  type IncomingApiRequest,
  PartAssembly,
  partSize,
  split,
  toHeaders,
} from './wire.js';

/** Something that answers until it is stopped. */
export interface Serving {
  /** Takes no more; resolves when what is under way has been answered. */
  stop(): Promise<void>;
}

export type RequestHandler = (request: IncomingApiRequest) => Promise<ApiResponse>;

/**
 * Serves API requests over NATS as `natsTransport` sends them, on a subject such as `api.*.request`. A handler that
 * rejects is answered with a plain 500: turning failures into responses is the handler's part. Large bodies travel in
 * parts, in both directions.
 */
export function serveRequests(
  nc: NatsConnection,
  subject: string,
  handler: RequestHandler,
  options: { logger: Logger },
): Serving {
  const server = new RequestServer(linkOf(nc), handler, options.logger);
  const subscription = hear(nc, subject, (msg) => server.onMessage(msg));
  return {
    async stop() {
      subscription.unsubscribe();
      await server.whenIdle();
    },
  };
}

class RequestServer {
  readonly #link: Link;
  readonly #handler: RequestHandler;
  readonly #logger: Logger;
  /** Reply subjects of the requests under way. */
  readonly #active = new Map<string, Promise<void>>();

  constructor(link: Link, handler: RequestHandler, logger: Logger) {
    this.#link = link;
    this.#handler = handler;
    this.#logger = logger;
  }

  async whenIdle(): Promise<void> {
    await Promise.all(this.#active.values());
  }

  onMessage(msg: Msg): void {
    const { reply } = msg;
    if (!reply) return;
    if (answerProbe(msg, (request) => this.#active.has(request))) return;
    const headers = fromHeaders(msg.headers);
    const work = this.#serve(msg, reply, headers)
      .catch((error: unknown) => this.#logger.error('cannot answer a request', { error: describeError(error) }))
      .finally(() => this.#active.delete(reply));
    this.#active.set(reply, work);
  }

  async #serve(msg: Msg, reply: string, headers: Record<string, string>): Promise<void> {
    const tokens = msg.subject.split('.');
    const body = headers[h.stream] ? await this.#receiveParts(tokens[1] ?? '', headers, reply, msg.data) : msg.data;
    const request = body && apiRequestOf({ tokens, headers, body });
    let response: ApiResponse;
    try {
      response = request ? await this.#handler(request) : plain(400, 'not an API request, or a part of it is missing');
    } catch (error) {
      this.#logger.error('a request handler failed', { path: request?.path, error: describeError(error) });
      response = plain(500, 'internal error');
    }
    // If our connection was lost meanwhile, theirs may not be.
    await this.#link.whenUp();
    const parts = split(response.body, Math.min(partSize, this.#link.maxBody));
    for (const [i, part] of parts.entries()) {
      this.#publish(reply, part, {
        ...(i === 0 ? { [h.status]: String(response.status), [h.contentType]: response.contentType } : {}),
        ...(parts.length > 1 ? { [h.part]: String(i), [h.parts]: String(parts.length) } : {}),
      });
    }
  }

  /** Asks for the rest of a body at a subject of this request's own, so that all parts reach this very server. */
  #receiveParts(
    identity: string,
    headers: Record<string, string>,
    reply: string,
    head: Uint8Array,
  ): Promise<Uint8Array | undefined> {
    const id = headers[h.stream]!;
    if (!/^\w+$/.test(id)) return Promise.resolve(undefined);
    const assembly = new PartAssembly();
    if (assembly.add(headers, head) === 'broken') return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const settle = (body: Uint8Array | undefined): void => {
        subscription.unsubscribe();
        resolve(body);
      };
      const subscription = this.#link.nc.subscribe(`stream.${identity}.${id}.up`, {
        timeout: 10_000,
        callback: (error, msg) => {
          if (error) return settle(undefined);
          const body = assembly.add(fromHeaders(msg.headers), msg.data);
          if (body !== 'more') settle(body === 'broken' ? undefined : body);
        },
      });
      this.#publish(reply, new Uint8Array(), { [h.status]: '100' });
    });
  }

  #publish(to: string, body: Uint8Array, headers: Record<string, string>): void {
    if (!this.#link.nc.isClosed()) this.#link.nc.publish(to, body, { headers: toHeaders(headers) });
  }
}

function plain(status: number, text: string): ApiResponse {
  return { status, contentType: 'text/plain', body: Buffer.from(`${text}\n`) };
}
