import { badRequest, failure, type meta, StatusError } from '@flotilla/api';
import { describeError, type Logger } from '@flotilla/base';
import {
  type ApiRequest,
  apiRequestOf,
  openStream,
  serveRequests,
  serveStreams,
  type Serving,
  TransportError,
} from '@flotilla/client';
import type { NatsConnection } from 'nats';
import { userOfIdentity } from '../authenticate.js';
import { errorResponse } from '../errors.js';
import type { Metrics } from '../metrics.js';
import type { Pipeline } from '../pipeline.js';
import type { Request, Response } from '../request.js';
import type { NodeStreams } from '../subresources/log.js';
import { concat } from '../wire.js';

export interface NatsDoorOptions {
  nc: NatsConnection;
  pipeline: Pipeline;
  metrics: Metrics;
  logger: Logger;
}

/** One request as it came over NATS. `identity` is trustworthy: NATS let its owner alone publish under it. */
function requestOf(identity: string, request: ApiRequest, signal: AbortSignal): Request {
  const at = request.path.indexOf('?');
  const path = at < 0 ? request.path : request.path.slice(0, at);
  const query = new URLSearchParams(at < 0 ? '' : request.path.slice(at + 1));
  for (const [name, value] of Object.entries(request.query ?? {})) query.set(name, value);
  return {
    method: request.method,
    path,
    query,
    user: userOfIdentity(identity),
    accept: request.accept,
    contentType: request.contentType,
    ifNoneMatch: undefined,
    userAgent: identity,
    body: request.body ?? new Uint8Array(),
    signal,
  };
}

const never = new AbortController().signal;

/** Opens the NATS door: request and reply for what ends, streams for what goes on. */
export function openNatsDoor(options: NatsDoorOptions): Serving {
  const { nc, pipeline, logger } = options;
  const requests = serveRequests(
    nc,
    'api.*.request',
    async (incoming) => {
      const request = requestOf(incoming.identity, incoming, never);
      const response = await pipeline.handle(request);
      const whole = typeof response.body === 'function' ? await refuseStream(request, logger) : response;
      const body = whole.body as readonly Uint8Array[];
      return {
        status: whole.status,
        contentType: whole.contentType,
        body: body.length === 1 ? body[0]! : concat(body),
      };
    },
    { logger },
  );
  const streams = openStreams(options);
  return {
    async stop() {
      await Promise.all([requests.stop(), streams.stop()]);
    },
  };
}

const refuseStream = (request: Request, logger: Logger): Promise<Response> =>
  errorResponse(badRequest('this answer goes on: ask for it as a stream'), request, logger);

function openStreams({ nc, pipeline, metrics, logger }: NatsDoorOptions): Serving {
  return serveStreams(
    nc,
    'api.*.stream',
    async (incoming, sink) => {
      const asked = apiRequestOf(incoming);
      if (!asked) {
        sink.start(400, { 'Content-Type': 'text/plain' });
        await sink.write(new TextEncoder().encode('not an API request\n'));
        return sink.end();
      }
      const request = requestOf(asked.identity, asked, sink.signal);
      const response = await pipeline.handle(request);
      sink.start(response.status, { 'Content-Type': response.contentType });
      if (typeof response.body !== 'function') {
        for (const piece of response.body) await sink.write(piece);
        return sink.end();
      }
      const ended = metrics.longRunning();
      try {
        await response.body(sink, sink.signal);
        sink.end();
      } finally {
        ended();
      }
    },
    { logger },
  );
}

/** Streams from the nodes' agents over the same connection. */
export function natsNodeStreams(nc: NatsConnection): NodeStreams {
  return {
    async open(node, verb, request, signal) {
      try {
        const stream = await openStream(
          nc,
          node,
          `node.${node}.${verb}`,
          { body: new TextEncoder().encode(JSON.stringify(request)) },
          signal,
        );
        if (stream.status < 300) return stream.frames;
        throw await statusFrom(stream.status, stream.frames);
      } catch (error) {
        if (error instanceof TransportError) {
          throw failure(
            'InternalError',
            `cannot reach the agent of node ${JSON.stringify(node)}: ${describeError(error)}`,
          );
        }
        throw error;
      }
    },
  };
}

/** The agent's refusal: a Status, or a text. */
async function statusFrom(code: number, frames: AsyncIterable<Uint8Array>): Promise<StatusError> {
  const pieces: Uint8Array[] = [];
  for await (const frame of frames) pieces.push(frame);
  const text = new TextDecoder().decode(concat(pieces));
  try {
    const parsed = JSON.parse(text) as meta.Status;
    if (parsed.kind === 'Status') return new StatusError(parsed);
  } catch {
    // A plain text, then.
  }
  if (code === 404) return failure('NotFound', text);
  return code >= 400 && code < 500 ? badRequest(text) : failure('InternalError', text || `the node answered ${code}`);
}
