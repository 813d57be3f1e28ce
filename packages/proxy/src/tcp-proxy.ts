import type { Socket } from 'node:net';
import type { Clock, Random } from '@flotilla/base';
import { addFlag, type Host, newStreamInfo, type StreamInfo } from '@flotilla/traffic';
import { DialError, relay } from '@flotilla/wire';
import type { TcpSpec } from './config/listener-config.js';
import type { Connection } from './http/connection.js';
import type { Telemetry } from './telemetry.js';
import type { UpstreamCluster } from './upstream/cluster.js';

export interface TcpEnvironment {
  clock: Clock;
  random: Random;
  telemetry: Telemetry;
  hostname: string;
  clusters: { get(name: string): UpstreamCluster | undefined };
}

/**
 * The TCP proxy filter: one downstream connection to one host of a cluster. `head` are bytes that a listener filter read
 * from a peer that has ended its side already. Resolves when it is over; never rejects.
 */
export async function serveTcp(
  socket: Socket,
  connection: Connection,
  spec: TcpSpec,
  environment: TcpEnvironment,
  head?: Buffer,
): Promise<void> {
  const { clock, random, clusters, telemetry } = environment;
  const started = clock.monotonic();
  const info = newStreamInfo(clock.now());
  describe(info, connection, environment.hostname);
  const name = spec.cluster(random);
  info.upstreamCluster = name;
  const cluster = clusters.get(name);
  telemetry.tcpOpened(info, cluster, connection);
  if (!cluster) addFlag(info, 'NC');
  else await carry(socket, cluster, spec, connection, info, environment, head);
  socket.destroy();
  info.duration = clock.monotonic() - started;
  telemetry.tcpClosed(info, connection);
  for (const log of spec.accessLogs) log(info);
}

function describe(info: StreamInfo, { local, remote, direct, serverName }: Connection, hostname: string): void {
  info.downstreamLocalAddress = `${local.address}:${local.port}`;
  info.downstreamRemoteAddress = `${remote.address}:${remote.port}`;
  info.downstreamDirectRemoteAddress = `${direct.address}:${direct.port}`;
  info.hostname = hostname;
  if (serverName !== undefined) info.requestedServerName = serverName;
}

async function carry(
  socket: Socket,
  cluster: UpstreamCluster,
  spec: TcpSpec,
  connection: Connection,
  info: StreamInfo,
  { clock }: TcpEnvironment,
  head: Buffer | undefined,
): Promise<void> {
  const limit = cluster.breakers.DEFAULT.connections;
  if (!limit.tryAcquire()) {
    cluster.stats.cxOverflow.inc();
    return addFlag(info, 'UO');
  }
  try {
    const upstream = await connect(socket, cluster, spec, connection, info);
    if (!upstream) return;
    const { host } = upstream;
    info.upstreamLocalAddress = `${upstream.socket.localAddress}:${upstream.socket.localPort}`;
    host.active++;
    cluster.connected(host);
    if (head) upstream.socket.end(head);
    const result = await relay(socket, upstream.socket, spec.idleTimeout, clock);
    host.active--;
    cluster.disconnected(host);
    info.bytesReceived = result.received;
    info.bytesSent = result.sent;
    cluster.stats.cxTxBytes.inc(result.received);
    cluster.stats.cxRxBytes.inc(result.sent);
    if (result.end === 'idle') addFlag(info, 'SI');
  } finally {
    limit.release();
  }
}

/** Tries hosts until one answers or the attempts are used up. */
async function connect(
  downstream: Socket,
  cluster: UpstreamCluster,
  spec: TcpSpec,
  connection: Connection,
  info: StreamInfo,
): Promise<{ socket: Socket; host: Host } | undefined> {
  const abort = new AbortController();
  const onGone = (): void => abort.abort(new DialError('local reset', 'downstream is gone'));
  downstream.once('close', onGone);
  try {
    for (let left = spec.connectAttempts; left > 0; left--) {
      const host = cluster.pick(connection.local);
      if (!host) {
        addFlag(info, 'UH');
        return undefined;
      }
      info.upstreamHost = host.key;
      try {
        return { socket: await cluster.dial(host, abort.signal), host };
      } catch (error) {
        if (!(error instanceof DialError)) throw error;
        if (abort.signal.aborted) {
          addFlag(info, 'DC');
          return undefined;
        }
        cluster.connectFailed(host, error);
        info.upstreamTransportFailure = error.transport;
      }
    }
    addFlag(info, 'UF');
    return undefined;
  } finally {
    downstream.off('close', onGone);
  }
}
