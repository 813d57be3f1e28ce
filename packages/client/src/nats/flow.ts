import { TransportError } from '../transport.js';
import type { Frame } from './frames.js';
import { split } from './wire.js';

/** Bytes that a receiver is ready to hold; the sender may exceed it by one frame. */
export const receiveWindow = 512 * 1024;

/** Sends frames as far as the receiver's credit goes. */
export class FrameSender {
  readonly #send: (frame: Frame) => void;
  readonly #maxData: number;
  #credit: number;
  #seq = 0;
  #waiting: { resolve: () => void; reject: (error: unknown) => void }[] = [];
  #closed: Error | 'ended' | undefined;

  constructor(send: (frame: Frame) => void, credit: number, maxData: number) {
    this.#send = send;
    this.#credit = credit;
    this.#maxData = maxData;
  }

  /** Resolves when the frame has been sent; rejects when the stream is over. Calls keep their order. */
  async write(data: Uint8Array): Promise<void> {
    while (this.#credit <= 0 && !this.#closed) {
      await new Promise<void>((resolve, reject) => this.#waiting.push({ resolve, reject }));
    }
    if (this.#closed) {
      throw this.#closed === 'ended' ? new TransportError('protocol', 'the stream has been ended') : this.#closed;
    }
    this.#credit -= data.length;
    const parts = split(data, this.#maxData);
    for (const [i, part] of parts.entries()) {
      this.#send({ type: 'data', seq: this.#seq++, more: i < parts.length - 1, data: part });
    }
  }

  grant(bytes: number): void {
    this.#credit += bytes;
    if (this.#credit <= 0) return;
    // In order: a frame that was asked for first goes first.
    for (const { resolve } of this.#waiting.splice(0)) resolve();
  }

  /** Frames still waiting for credit are refused: await each write before ending. */
  end(): void {
    if (this.#closed) return;
    this.#closed = 'ended';
    this.#send({ type: 'end', seq: this.#seq });
    for (const { resolve } of this.#waiting.splice(0)) resolve();
  }

  fail(error: Error): void {
    if (this.#closed) return;
    this.#closed = error;
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}

/** Receives frames in order and gives credit back as they are consumed. One reader. */
export class FrameReceiver implements AsyncIterable<Uint8Array> {
  readonly #grant: (bytes: number) => void;
  readonly #onLeave: () => void;
  #frames: Uint8Array[] = [];
  #partial: Uint8Array[] = [];
  #expected = 0;
  #consumed = 0;
  #closed: Error | 'ended' | undefined;
  #wake: (() => void) | undefined;

  /** `onLeave`: the reader has left the loop before the end. */
  constructor(grant: (bytes: number) => void, onLeave: () => void) {
    this.#grant = grant;
    this.#onLeave = onLeave;
  }

  /** False after a gap: something was lost on the way. */
  accept(frame: Extract<Frame, { type: 'data' | 'end' }>): boolean {
    if (this.#closed) return true;
    if (frame.seq !== this.#expected) return false;
    this.#expected++;
    if (frame.type === 'end') this.#close('ended');
    else {
      this.#partial.push(frame.data);
      if (!frame.more) {
        this.#frames.push(this.#partial.length === 1 ? this.#partial[0]! : Buffer.concat(this.#partial));
        this.#partial = [];
        this.#wake?.();
      }
    }
    return true;
  }

  /** Frames that have arrived are still delivered. */
  fail(error: Error): void {
    if (!this.#closed) this.#close(error);
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    try {
      for (;;) {
        const frame = this.#frames.shift();
        if (frame) {
          yield frame;
          this.#consume(frame.length);
        } else if (this.#closed === 'ended') return;
        else if (this.#closed) throw this.#closed;
        else await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      if (!this.#closed) this.#onLeave();
    }
  }

  #consume(bytes: number): void {
    this.#consumed += bytes;
    if (this.#consumed < receiveWindow / 2 || this.#closed) return;
    this.#grant(this.#consumed);
    this.#consumed = 0;
  }

  #close(how: Error | 'ended'): void {
    this.#closed = how;
    this.#wake?.();
  }
}
