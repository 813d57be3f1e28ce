import type { Clock, Timer } from '@flotilla/base';
import type { NatsConnection } from 'nats';
import { TransportError } from '../transport.js';
import { hear, isNoResponders, type Link } from './link.js';
import { h, toHeaders } from './wire.js';

/** How often a client shows that it lives, and asks whether the server does. */
const pingEveryMs = 250;
/** Silence after which a peer counts as lost, though NATS says that it is there. */
const silenceMs = 5000;

/** A stream, as far as its peer's life is concerned. */
export interface PeerStream {
  fail(error: Error): void;
}

interface Peer {
  streams: Set<PeerStream>;
  lastHeard: number;
}

/**
 * The client's watch over the servers of its streams: one ping at a time per server, however many streams there are.
 * A server whose process is gone is noticed by NATS having nobody to deliver the ping to.
 */
export class ServerWatch {
  readonly #link: Link;
  readonly #clock: Clock;
  readonly #peers = new Map<string, Peer>();
  #timer: Timer | undefined;

  constructor(link: Link, clock: Clock) {
    this.#link = link;
    this.#clock = clock;
  }

  /** `server` is the subject that it answers pings on. Returns the way to end watching for this stream. */
  add(server: string, stream: PeerStream): () => void {
    const peer = this.#peers.get(server) ?? { streams: new Set(), lastHeard: this.#clock.monotonic() };
    this.#peers.set(server, peer);
    peer.streams.add(stream);
    this.#schedule();
    return () => {
      peer.streams.delete(stream);
      if (peer.streams.size === 0 && this.#peers.get(server) === peer) this.#peers.delete(server);
    };
  }

  #schedule(): void {
    if (this.#timer || this.#peers.size === 0) return;
    this.#timer = this.#clock.after(pingEveryMs, () => {
      this.#timer = undefined;
      for (const [server, peer] of this.#peers) this.#ping(server, peer);
      this.#schedule();
    });
  }

  #ping(server: string, peer: Peer): void {
    // A lost connection ends the streams by itself.
    if (!this.#link.up) return;
    if (this.#clock.monotonic() - peer.lastHeard > silenceMs) return this.#lost(server, peer, 'does not answer');
    const reply = this.#link.expectReplies({
      onDown: () => undefined,
      onMessage: (msg) => {
        reply.close();
        if (isNoResponders(msg)) this.#lost(server, peer, 'is gone');
        else peer.lastHeard = this.#clock.monotonic();
      },
    });
    this.#clock.after(silenceMs, reply.close);
    const headers = toHeaders({ [h.peer]: this.#link.instance });
    this.#link.nc.publish(server, undefined, { reply: reply.subject, headers });
  }

  #lost(server: string, peer: Peer, how: string): void {
    if (this.#peers.get(server) === peer) this.#peers.delete(server);
    for (const stream of peer.streams) stream.fail(new TransportError('disconnected', `the server ${how}`));
  }
}

/** The server's watch over its clients, who ping it. */
export class ClientWatch {
  readonly #clock: Clock;
  readonly #peers = new Map<string, Peer>();
  readonly #stopListening: () => void;
  #timer: Timer | undefined;

  constructor(nc: NatsConnection, clock: Clock, subject: string) {
    this.#clock = clock;
    const subscription = hear(nc, subject, (msg) => {
      const peer = this.#peers.get(msg.headers?.get(h.peer) ?? '');
      if (peer) peer.lastHeard = clock.monotonic();
      if (!nc.isClosed()) msg.respond();
    });
    this.#stopListening = () => subscription.unsubscribe();
  }

  add(client: string, stream: PeerStream): () => void {
    const peer = this.#peers.get(client) ?? { streams: new Set(), lastHeard: 0 };
    peer.lastHeard = this.#clock.monotonic();
    this.#peers.set(client, peer);
    peer.streams.add(stream);
    this.#schedule();
    return () => {
      peer.streams.delete(stream);
      if (peer.streams.size === 0 && this.#peers.get(client) === peer) this.#peers.delete(client);
    };
  }

  stop(): void {
    this.#stopListening();
    this.#timer?.cancel();
  }

  #schedule(): void {
    if (this.#timer || this.#peers.size === 0) return;
    this.#timer = this.#clock.after(silenceMs / 5, () => {
      this.#timer = undefined;
      const now = this.#clock.monotonic();
      for (const peer of this.#peers.values()) {
        if (now - peer.lastHeard < silenceMs) continue;
        for (const stream of peer.streams) {
          stream.fail(new TransportError('disconnected', 'the client has not been heard of'));
        }
      }
      this.#schedule();
    });
  }
}
