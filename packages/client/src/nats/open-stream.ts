import type { Clock } from '@flotilla/base';
import { systemClock } from '@flotilla/host';
import { type Msg, type NatsConnection, nuid } from 'nats';
import { TransportError } from '../transport.js';
import { Channel } from './channel.js';
import { receiveWindow } from './flow.js';
import { isNoResponders, type Link, linkOf } from './link.js';
import { ServerWatch } from './peers.js';
import { probe } from './probe.js';
import { fromHeaders, h, toHeaders } from './wire.js';

/** With a server that has not answered yet. */
const patience = { everyMs: 500, maxSilent: 10 };

export interface StreamRequest {
  headers?: Record<string, string>;
  /** At most what one NATS message holds. */
  body?: Uint8Array;
}

export interface OpenedStream {
  /** As the server chose; it is for the caller to judge. */
  status: number;
  headers: Record<string, string>;
  /**
   * Frames as the server wrote them, or the body of a refusal. Throws `TransportError` when the server or the connection is
   * lost. Leaving the loop cancels.
   */
  frames: AsyncIterable<Uint8Array>;
  /** Sends a frame to the server; waits for credit; rejects when the stream is over. */
  write(frame: Uint8Array): Promise<void>;
  /** No more frames to the server; it may go on. */
  end(): void;
}

const watches = new WeakMap<Link, ServerWatch>();

function serverWatch(link: Link, clock: Clock): ServerWatch {
  let watch = watches.get(link);
  if (!watch) {
    watch = new ServerWatch(link, clock);
    watches.set(link, watch);
  }
  return watch;
}

/**
 * Asks for a stream on `subject`, e.g. `api.<identity>.stream` or `node.<node>.logs`. `identity` says below which
 * `stream.<identity>.` the frames travel: the second token of `subject`. Rejects with `TransportError` or the signal's
 * reason; aborting the signal later cancels the stream.
 */
export async function openStream(
  nc: NatsConnection,
  identity: string,
  subject: string,
  request: StreamRequest,
  signal: AbortSignal,
  clock: Clock = systemClock,
): Promise<OpenedStream> {
  const link = linkOf(nc);
  await link.ready(clock, signal);
  signal.throwIfAborted();
  const base = `stream.${identity}.${nuid.next()}`;
  let unwatch = (): void => undefined;
  const channel = new Channel({
    link,
    receive: `${base}.down`,
    send: `${base}.up`,
    // The server says in its answer what it is ready to take.
    credit: 0,
    side: 'client',
    onClose: () => {
      unwatch();
      signal.removeEventListener('abort', onAbort);
    },
  });
  const onAbort = (): void =>
    channel.fail(signal.reason instanceof Error ? signal.reason : new TransportError('disconnected', 'cancelled'));
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const answer = await accepted(link, clock, channel, subject, {
      body: request.body ?? new Uint8Array(),
      headers: {
        ...request.headers,
        [h.stream]: base.slice(base.lastIndexOf('.') + 1),
        [h.peer]: link.instance,
        [h.credit]: String(receiveWindow),
      },
    });
    const headers = fromHeaders(answer.headers);
    const server = headers[h.peer];
    const status = Number(headers[h.status] ?? 500);
    if (!server) {
      channel.close();
      return { status, headers, frames: once(answer.data), write: refused, end: () => undefined };
    }
    if (!channel.over) unwatch = serverWatch(link, clock).add(`stream.${identity}.${server}.ping`, channel);
    channel.sender.grant(Number(headers[h.credit] ?? 0));
    return {
      status,
      headers,
      frames: channel.receiver,
      write: (frame) => channel.sender.write(frame),
      end: () => channel.end(),
    };
  } catch (error) {
    channel.reset('not accepted in time');
    throw error;
  }
}

/** The server's answer to a request for a stream. */
function accepted(
  link: Link,
  clock: Clock,
  channel: Channel,
  subject: string,
  request: { headers: Record<string, string>; body: Uint8Array },
): Promise<Msg> {
  return new Promise<Msg>((resolve, reject) => {
    const fail = (error: unknown): void => {
      done();
      reject(error as Error);
    };
    const done = (): void => {
      reply.close();
      stopAsking();
      channel.signal.removeEventListener('abort', onAbort);
    };
    const onAbort = (): void => fail(channel.signal.reason);
    const reply = link.expectReplies({
      onDown: () => fail(new TransportError('disconnected', 'the NATS connection was lost')),
      onMessage: (msg) => {
        if (isNoResponders(msg)) return fail(new TransportError('unavailable', `nobody serves ${subject}`));
        done();
        resolve(msg);
      },
    });
    channel.signal.addEventListener('abort', onAbort, { once: true });
    const stopAsking = probe({ link, clock, subject, request: reply.subject, ...patience, onLost: fail });
    try {
      link.nc.publish(subject, request.body, { headers: toHeaders(request.headers), reply: reply.subject });
    } catch (error) {
      fail(new TransportError('unavailable', 'cannot publish', error));
    }
  });
}

async function* once(body: Uint8Array): AsyncIterable<Uint8Array> {
  if (body.length > 0) yield body;
}

const refused = (): Promise<void> => Promise.reject(new TransportError('protocol', 'the stream was refused'));
