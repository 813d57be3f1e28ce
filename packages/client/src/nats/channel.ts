import type { Subscription } from 'nats';
import { TransportError } from '../transport.js';
import { FrameReceiver, FrameSender } from './flow.js';
import { decodeFrame, encodeFrame, type Frame } from './frames.js';
import { hear, type Link } from './link.js';
import { partSize } from './wire.js';

export interface ChannelOptions {
  link: Link;
  /** Subjects to hear and to speak on. */
  receive: string;
  send: string;
  /** Bytes that the peer is ready to take at the start. */
  credit: number;
  /** Which end this is: the server's last frame ends the stream, the client's only its own direction. */
  side: 'client' | 'server';
  /** Called once when the stream is over. */
  onClose: () => void;
}

/**
 * One end of a stream: frames both ways with flow control. It is over when the server has ended it, either side resets it,
 * the connection or the peer is lost, or a message has gone missing.
 */
export class Channel {
  readonly sender: FrameSender;
  readonly receiver: FrameReceiver;
  readonly #options: ChannelOptions;
  readonly #subscription: Subscription;
  readonly #abort = new AbortController();
  readonly #forgetDown: () => void;
  #over = false;

  constructor(options: ChannelOptions) {
    const { link } = options;
    this.#options = options;
    const maxData = Math.min(partSize, link.maxBody);
    this.sender = new FrameSender((frame) => this.#send(frame), options.credit, maxData);
    this.receiver = new FrameReceiver(
      (bytes) => this.#send({ type: 'credit', bytes }),
      () => this.reset('the reader has left'),
    );
    this.#subscription = hear(link.nc, options.receive, (msg) => this.#onMessage(msg.data));
    this.#forgetDown = link.onDown(() => this.fail(new TransportError('disconnected', 'the NATS connection was lost')));
  }

  /** Aborts when the stream is over otherwise than by the server's saying so. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get over(): boolean {
    return this.#over;
  }

  /** No more frames from this end. */
  end(): void {
    if (this.#over) return;
    this.sender.end();
    if (this.#options.side === 'server') this.close();
  }

  /** Over, and nobody needs to be told. */
  close(): void {
    if (this.#over) return;
    this.#over = true;
    const ended = new TransportError('disconnected', 'the stream has ended');
    this.sender.fail(ended);
    this.receiver.fail(ended);
    this.#forgetDown();
    this.#subscription.unsubscribe();
    this.#options.onClose();
  }

  /** Ends both directions now, and tells the peer. */
  reset(reason: string): void {
    this.fail(new TransportError('disconnected', reason));
  }

  /** The same for an error that is known already. The peer is told when the connection is (back) up. */
  fail(error: Error): void {
    if (this.#over) return;
    const { link } = this.#options;
    void link.whenUp().then(() => this.#publish({ type: 'reset', reason: error.message }));
    this.#lose(error);
  }

  #lose(error: Error): void {
    this.sender.fail(error);
    this.receiver.fail(error);
    this.close();
    this.#abort.abort(error);
  }

  #onMessage(bytes: Uint8Array): void {
    const frame = decodeFrame(bytes);
    if (!frame || this.#over) return;
    if (frame.type === 'credit') this.sender.grant(frame.bytes);
    else if (frame.type === 'reset')
      this.#lose(new TransportError('disconnected', frame.reason || 'the peer has left'));
    else if (!this.receiver.accept(frame)) {
      this.fail(new TransportError('protocol', 'a frame of the stream has been lost'));
    } else if (frame.type === 'end' && this.#options.side === 'client') this.close();
  }

  #send(frame: Frame): void {
    if (!this.#over && this.#options.link.up) this.#publish(frame);
  }

  #publish(frame: Frame): void {
    const { link, send } = this.#options;
    if (!link.nc.isClosed()) link.nc.publish(send, encodeFrame(frame));
  }
}
