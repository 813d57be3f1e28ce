import { type Clock, describeError, errorCode, type Logger, type Timer } from '@flotilla/base';
import { ErrorCode, type NatsConnection } from 'nats';
import { hear } from './nats/link.js';
import type { Serving } from './nats/serve-requests.js';

export type ConnectionEvent = 'connected' | 'disconnected';

/** What can be known of nodes faster than by the API. */
export interface NodeLiveness {
  /** Calls back on every heartbeat of a node. Returns the way to stop. */
  onHeartbeat(listener: (node: string) => void): () => void;
  /**
   * Calls back when NATS itself says that a client of that name has come, or that its last connection is gone. Names of
   * other clients than nodes come too.
   */
  onConnection(listener: (name: string, event: ConnectionEvent) => void): () => void;
  /** Asks an agent. `gone`: nobody listens there. `silent`: no answer in time, or NATS cannot be asked. */
  ping(node: string, timeoutMs: number): Promise<'alive' | 'gone' | 'silent'>;
  close(): Promise<void>;
}

export interface NatsNodeLivenessOptions {
  /** For heartbeats and pings. */
  nc: NatsConnection;
  /** On the system account, for advisories; without it `onConnection` stays silent. */
  system?: NatsConnection;
  logger: Logger;
}

/** `$SYS.ACCOUNT.<account>.CONNECT` and `.DISCONNECT` (nats-server `ConnectEventMsg`). */
interface Advisory {
  client?: { id?: number; name?: string; user?: string };
  server?: { id?: string };
}

export function natsNodeLiveness(options: NatsNodeLivenessOptions): NodeLiveness {
  const { nc, system, logger } = options;
  const heartbeatListeners = new Set<(node: string) => void>();
  const connectionListeners = new Set<(name: string, event: ConnectionEvent) => void>();
  /** Connections that we saw coming, by client name. */
  const known = new Map<string, Set<string>>();

  const onAdvisory = (event: ConnectionEvent, data: Uint8Array): void => {
    let advisory: Advisory;
    try {
      advisory = JSON.parse(Buffer.from(data).toString()) as Advisory;
    } catch (error) {
      return logger.debug('unreadable advisory', { error: describeError(error) });
    }
    const name = advisory.client?.name ?? advisory.client?.user;
    if (!name) return;
    const connection = `${advisory.server?.id}/${advisory.client?.id}`;
    const connections = known.get(name) ?? new Set();
    if (event === 'connected') connections.add(connection);
    else connections.delete(connection);
    if (connections.size > 0) known.set(name, connections);
    else known.delete(name);
    // A client that was restarted is back before its old connection is gone.
    if (event === 'disconnected' && connections.size > 0) return;
    for (const listener of connectionListeners) listener(name, event);
  };

  const subscriptions = [
    hear(nc, 'hb.*', (msg) => {
      for (const listener of heartbeatListeners) listener(msg.subject.slice(3));
    }),
    ...(system
      ? (['connected', 'disconnected'] as const).map((event) =>
          hear(system, `$SYS.ACCOUNT.*.${event === 'connected' ? 'CONNECT' : 'DISCONNECT'}`, (msg) =>
            onAdvisory(event, msg.data),
          ),
        )
      : []),
  ];
  return {
    onHeartbeat: (listener) => {
      heartbeatListeners.add(listener);
      return () => void heartbeatListeners.delete(listener);
    },
    onConnection: (listener) => {
      connectionListeners.add(listener);
      return () => void connectionListeners.delete(listener);
    },
    async ping(node, timeoutMs) {
      try {
        await nc.request(`node.${node}.ping`, undefined, { timeout: timeoutMs });
        return 'alive';
      } catch (error) {
        return errorCode(error) === ErrorCode.NoResponders ? 'gone' : 'silent';
      }
    },
    async close() {
      for (const subscription of subscriptions) subscription.unsubscribe();
    },
  };
}

/** The agent's side: a heartbeat on `hb.<node>` every `intervalMs` (250 if absent), and answers to `node.<node>.ping`. */
export function serveNodeLiveness(
  nc: NatsConnection,
  node: string,
  options: { clock: Clock; intervalMs?: number },
): Serving {
  const { clock, intervalMs = 250 } = options;
  let timer: Timer | undefined;
  const subscription = hear(nc, `node.${node}.ping`, (msg) => {
    if (!nc.isClosed()) msg.respond();
  });
  const beat = (): void => {
    if (nc.isClosed()) return;
    nc.publish(`hb.${node}`);
    timer = clock.after(intervalMs, beat);
  };
  beat();
  return {
    async stop() {
      timer?.cancel();
      subscription.unsubscribe();
    },
  };
}
