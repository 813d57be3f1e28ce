import type { Clock } from '@flotilla/base';
import { systemClock } from '@flotilla/host';
import type { NatsConnection } from 'nats';
import { statusErrorOf } from '../status.js';
import type { Transport } from '../transport.js';
import { linkOf } from './link.js';
import { openStream } from './open-stream.js';
import { natsRequest } from './request.js';
import { h, requestHeaders } from './wire.js';

export interface NatsTransportOptions {
  /** Longest time for one request, milliseconds; 60 000 if absent. A lost server is noticed sooner. */
  timeoutMs?: number;
  clock?: Clock;
}

/** API requests over NATS as `identity`: `api.<identity>.request` and `.stream`. The connection stays the caller's. */
export function natsTransport(nc: NatsConnection, identity: string, options: NatsTransportOptions = {}): Transport {
  const { timeoutMs = 60_000, clock = systemClock } = options;
  const link = linkOf(nc);
  const subject = `api.${identity}.request`;
  return {
    request: (request, signal) => natsRequest({ link, clock, identity, subject, timeoutMs }, request, signal),
    async stream(request, signal) {
      const parts = { headers: requestHeaders(request), body: request.body ?? new Uint8Array() };
      const opened = await openStream(nc, identity, `api.${identity}.stream`, parts, signal, clock);
      if (opened.status < 300) return opened.frames;
      throw statusErrorOf({
        status: opened.status,
        contentType: opened.headers[h.contentType] ?? '',
        body: await gather(opened.frames),
      });
    },
    close: () => Promise.resolve(),
  };
}

async function gather(frames: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const frame of frames) parts.push(frame);
  return Buffer.concat(parts);
}
