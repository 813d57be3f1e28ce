import type { Socket } from 'node:net';
import type { Clock } from '@flotilla/base';

export interface RelayResult {
  /** Bytes from downstream to upstream, and back. */
  received: number;
  sent: number;
  /** What ended it first. */
  end: 'downstream' | 'upstream' | 'idle';
}

/**
 * Carries bytes both ways between two connected sockets until both have ended, with back-pressure. A side that ends
 * (FIN) ends the other's writing only: half-closed connections live on. An error on one side destroys both.
 *
 * @param idle milliseconds without a byte in either direction; 0 is for ever.
 */
export function relay(downstream: Socket, upstream: Socket, idle: number, clock: Clock): Promise<RelayResult> {
  return new Promise((resolve) => {
    let end: RelayResult['end'] | undefined;
    let open = 2;
    const start = { received: upstream.bytesWritten, sent: downstream.bytesWritten };
    const counters = (): number =>
      downstream.bytesRead + upstream.bytesRead + downstream.bytesWritten + upstream.bytesWritten;
    let seen = counters();
    const check = (): void => {
      const now = counters();
      if (now === seen) {
        end ??= 'idle';
        downstream.destroy();
        upstream.destroy();
        return;
      }
      seen = now;
      timer = clock.after(idle, check);
    };
    let timer = idle > 0 ? clock.after(idle, check) : undefined;
    const closed = (): void => {
      if (--open > 0) return;
      timer?.cancel();
      const { received, sent } = start;
      resolve({
        received: upstream.bytesWritten - received,
        sent: downstream.bytesWritten - sent,
        end: end ?? 'downstream',
      });
    };
    const watch = (from: Socket, to: Socket, name: 'downstream' | 'upstream'): void => {
      from.once('end', () => (end ??= name));
      from.on('error', () => {
        end ??= name;
        to.destroy();
      });
      from.once('close', () => {
        end ??= name;
        // Closed without an end: a reset. The other side must not wait for more.
        if (!from.readableEnded) to.destroy();
        else to.end();
        closed();
      });
      if (from.destroyed) closed();
      from.pipe(to);
    };
    watch(downstream, upstream, 'downstream');
    watch(upstream, downstream, 'upstream');
    // Paused explicitly when accepted or dialled: `pipe` alone would not start them.
    downstream.resume();
    upstream.resume();
  });
}
