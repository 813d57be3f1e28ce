import { describeError, type Logger } from '@flotilla/base';
import type { NatsAccess } from '@flotilla/host';
import { type ConnectionOptions, connect, Events, type NatsConnection } from 'nats';
import { TransportError } from '../transport.js';
import { linkOf } from './link.js';

export interface ConnectOptions {
  logger: Logger;
  /** Keep trying until the server is there, instead of failing at once with `TransportError`. */
  waitForServer?: boolean;
}

/** Milliseconds between attempts to reconnect: at first short, as a restarted server is back within a blink. */
const retryMs = { first: 50, last: 500 };

/**
 * A NATS connection named after its user. Its inbox prefix is `_INBOX.<user>`, it does not hear its own messages, and it
 * reconnects for ever, at first after 50 ms, later every 500 ms. A server that does not answer for some seconds counts as
 * lost.
 */
export async function connectNats(access: NatsAccess, options: ConnectOptions): Promise<NatsConnection> {
  const { logger } = options;
  let waits = 0;
  const settings: ConnectionOptions = {
    servers: access.servers,
    user: access.user,
    pass: access.password,
    name: access.user,
    inboxPrefix: `_INBOX.${access.user}`,
    noEcho: true,
    maxReconnectAttempts: -1,
    waitOnFirstConnect: options.waitForServer ?? false,
    ignoreAuthErrorAbort: true,
    // Asked once before and once after each wait, so this doubles every other attempt.
    reconnectDelayHandler: () => Math.min(retryMs.last, retryMs.first * 2 ** Math.floor(waits++ / 4)),
    timeout: 3000,
    pingInterval: 2000,
    maxPingOut: 2,
  };
  let nc: NatsConnection;
  try {
    nc = await connect(settings);
  } catch (error) {
    throw new TransportError('unavailable', `cannot connect to NATS at ${access.servers.join(', ')}`, error);
  }
  waits = 0;
  linkOf(nc);
  void follow(nc, logger, () => (waits = 0));
  return nc;
}

async function follow(nc: NatsConnection, logger: Logger, onReconnect: () => void): Promise<void> {
  for await (const status of nc.status()) {
    if (status.type === Events.Disconnect) logger.warn('NATS connection lost');
    else if (status.type === Events.Reconnect) {
      onReconnect();
      logger.info('NATS connection is back');
    } else if (status.type === Events.Error) {
      const subject = status.permissionContext?.subject;
      logger.error('NATS error', { error: describeError(status.data), ...(subject ? { subject } : {}) });
    }
  }
}
