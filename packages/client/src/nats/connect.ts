import type { Logger } from '@flotilla/base';
import type { NatsAccess } from '@flotilla/host';
import type { NatsConnection } from 'nats';

export interface ConnectOptions {
  logger: Logger;
  /** Keep trying until the server is there, instead of failing at once. */
  waitForServer?: boolean;
}

/**
 * A NATS connection named after its user. Its inbox prefix is `_INBOX.<user>`, it does not hear its own messages, and it
 * reconnects for ever, at first after 50 ms, later every 500 ms.
 */
export declare function connectNats(access: NatsAccess, options: ConnectOptions): Promise<NatsConnection>;
