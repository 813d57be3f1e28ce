import type { Clock, Timer } from '@flotilla/base';
import type { Msg } from 'nats';
import { TransportError } from '../transport.js';
import { isNoResponders, type Link } from './link.js';
import { h, toHeaders } from './wire.js';

export interface ProbeOptions {
  link: Link;
  clock: Clock;
  /** Where the request went. */
  subject: string;
  /** The reply subject of the request. */
  request: string;
  /** How often to ask, milliseconds, and how often in vain before giving up. */
  everyMs: number;
  maxSilent: number;
  /** The answer will not come. */
  onLost: (error: TransportError) => void;
}

/**
 * Asks the server again and again, while an answer is awaited, whether it is still working on it: NATS does not tell when a
 * server dies with a request. Each question has a reply subject of its own, because who may answer at all may be allowed to
 * answer once (`allow_responses`). Returns the way to end asking.
 */
export function probe(options: ProbeOptions): () => void {
  const { link, clock, subject, request, everyMs, maxSilent, onLost } = options;
  let silent = 0;
  let timer: Timer;
  let reply: { subject: string; close: () => void } | undefined;
  const onMessage = (msg: Msg): void => {
    silent = 0;
    if (isNoResponders(msg)) onLost(new TransportError('disconnected', `nobody serves ${subject} any more`));
    else if (msg.headers?.get(h.status) !== '102') {
      onLost(new TransportError('disconnected', 'the server was restarted meanwhile'));
    }
  };
  const ask = (): void => {
    reply?.close();
    if (++silent > maxSilent) return onLost(new TransportError('timeout', `no answer from ${subject}`));
    timer = clock.after(everyMs, ask);
    if (!link.up) return;
    reply = link.expectReplies({ onMessage, onDown: () => undefined });
    link.nc.publish(subject, undefined, { headers: toHeaders({ [h.probe]: request }), reply: reply.subject });
  };
  timer = clock.after(everyMs, ask);
  return () => {
    timer.cancel();
    reply?.close();
  };
}

/** The server's side: true if the message was such a question, which has been answered. */
export function answerProbe(msg: Msg, isActive: (request: string) => boolean): boolean {
  const request = msg.headers?.get(h.probe);
  if (!request) return false;
  msg.respond(undefined, { headers: toHeaders({ [h.status]: isActive(request) ? '102' : '410' }) });
  return true;
}
