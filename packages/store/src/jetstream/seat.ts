import { errorCode } from '@flotilla/base';
import { ErrorCode, type NatsConnection, type Subscription } from 'nats';
import { hear } from './connection.js';

/**
 * The writer's seat: whoever writes the log answers requests here, so that others learn at once that it is taken, or, as
 * NATS knows when nobody listens, that it is free. It only saves disputes; what decides is the claim in the log.
 */
export class WriterSeat {
  readonly #nc: NatsConnection;
  readonly #subject: string;
  #subscription: Subscription | undefined;

  constructor(nc: NatsConnection, stream: string) {
    this.#nc = nc;
    this.#subject = `store.${stream}`;
  }

  /** `free`: nobody listens. `silent`: somebody listens but does not answer, or NATS does not. */
  async probe(timeoutMs: number): Promise<{ writer: string } | 'free' | 'silent'> {
    try {
      return { writer: (await this.#nc.request(this.#subject, undefined, { timeout: timeoutMs })).string() };
    } catch (error) {
      return errorCode(error) === ErrorCode.NoResponders ? 'free' : 'silent';
    }
  }

  take(identity: string): void {
    this.#subscription ??= hear(this.#nc, this.#subject, (msg) => void msg.respond(Buffer.from(identity)));
  }

  leave(): void {
    this.#subscription?.unsubscribe();
    this.#subscription = undefined;
  }
}
