import { type Clock, deferred } from '@flotilla/base';
import { nuid } from 'nats';
import { type ApiRequest, type ApiResponse, TransportError } from '../transport.js';
import { isNoResponders, type Link } from './link.js';
import { probe } from './probe.js';
import { fromHeaders, h, PartAssembly, partSize, requestHeaders, split, toHeaders } from './wire.js';

/** With a server that has not answered yet. */
const patience = { everyMs: 1000, maxSilent: 5 };

export interface RequestOptions {
  link: Link;
  clock: Clock;
  identity: string;
  subject: string;
  /** Longest time for one request, milliseconds. */
  timeoutMs: number;
}

/**
 * One API request over NATS. Rejects with `TransportError` as soon as it is known that no answer will come: nobody
 * listens, the connection is lost, the server has died meanwhile (it is asked every second) or hangs.
 */
export async function natsRequest(
  options: RequestOptions,
  request: ApiRequest,
  signal?: AbortSignal,
): Promise<ApiResponse> {
  const { link, clock, subject } = options;
  await link.ready(clock, signal);
  signal?.throwIfAborted();
  const result = deferred<ApiResponse>();
  const answer = new PartAssembly();
  const bodyParts = split(request.body ?? new Uint8Array(), Math.min(partSize, link.maxBody));
  const uploadId = bodyParts.length > 1 ? nuid.next() : undefined;
  let first: Record<string, string> | undefined;

  const fail = (error: unknown): void => {
    replies.close();
    result.reject(error);
  };
  const replies = link.expectReplies({
    onDown: () => fail(new TransportError('disconnected', 'the NATS connection was lost')),
    onMessage: (msg) => {
      if (isNoResponders(msg)) return fail(new TransportError('unavailable', `nobody serves ${subject}`));
      const headers = fromHeaders(msg.headers);
      if (headers[h.status] === '100') return upload();
      first ??= headers;
      const body = answer.add(headers, msg.data);
      if (body === 'more') return;
      if (body === 'broken') return fail(new TransportError('protocol', 'a part of the response is missing'));
      replies.close();
      const firstStatus = Number(first[h.status] ?? 500);
      result.resolve({ status: firstStatus, contentType: first[h.contentType] ?? '', body });
    },
  });
  const upload = (): void => {
    const to = `stream.${options.identity}.${uploadId}.up`;
    for (const [i, part] of bodyParts.entries()) {
      if (i > 0) send(to, part, { [h.part]: String(i), [h.parts]: String(bodyParts.length) });
    }
  };
  const send = (to: string, body: Uint8Array, headers: Record<string, string>): void => {
    try {
      link.nc.publish(to, body, { headers: toHeaders(headers), reply: replies.subject });
    } catch (error) {
      fail(new TransportError('unavailable', 'cannot publish', error));
    }
  };
  const onAbort = (): void => fail(signal!.reason);

  const late = (): void => fail(new TransportError('timeout', `no answer within ${options.timeoutMs} ms`));
  const timer = clock.after(options.timeoutMs, late);
  const stopAsking = probe({ link, clock, subject, request: replies.subject, ...patience, onLost: fail });
  signal?.addEventListener('abort', onAbort, { once: true });
  send(subject, bodyParts[0]!, {
    ...requestHeaders(request),
    ...(uploadId ? { [h.stream]: uploadId, [h.part]: '0', [h.parts]: String(bodyParts.length) } : {}),
  });
  return result.promise.finally(() => {
    timer.cancel();
    stopAsking();
    signal?.removeEventListener('abort', onAbort);
  });
}
