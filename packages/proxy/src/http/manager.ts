import type { Socket } from 'node:net';
import { type Clock, describeError, type Logger, type Random } from '@flotilla/base';
import type { Routes, StreamInfo } from '@flotilla/traffic';
import { HttpServer } from '@flotilla/wire';
import type { HttpSpec } from '../config/http-config.js';
import type { StatsRegistry } from '../stats/registry.js';
import type { Telemetry } from '../telemetry.js';
import type { UpstreamCluster } from '../upstream/cluster.js';
import type { Connection } from './connection.js';
import { HttpStats } from './stats.js';
import { HttpStream } from './stream.js';
import { serveTunnel } from './upgrade.js';

/** What HTTP streams need from the rest of the proxy. */
export interface HttpEnvironment {
  clock: Clock;
  random: Random;
  logger: Logger;
  registry: StatsRegistry;
  telemetry: Telemetry;
  hostname: string;
  newRequestId(): string;
  clusters: { get(name: string): UpstreamCluster | undefined };
  /** The routes that RDS has under this name. */
  routes(name: string): Routes | undefined;
}

/** The environment of the streams of one connection manager. */
export interface HttpPorts extends Omit<HttpEnvironment, 'routes'> {
  spec: HttpSpec;
  stats: HttpStats;
  /** Delays under way. */
  faults: { active: number };
  routes(): Routes;
  finished(info: StreamInfo, connection: Connection): void;
}

const noRoutes: Routes = { name: '', clusters: new Set(), find: () => undefined };

/** A manager that has been replaced keeps the routes it had last, for the requests still to come on its connections. */
function routeSource({ routes }: HttpSpec, environment: HttpEnvironment): () => Routes {
  if (!('rds' in routes)) return () => routes;
  let last = noRoutes;
  return () => (last = environment.routes(routes.rds) ?? last);
}

/** One HttpConnectionManager at work: takes connections, makes streams of their requests. */
export class HttpManager {
  readonly spec: HttpSpec;
  readonly #server: HttpServer<Connection>;
  readonly #ports: HttpPorts;

  constructor(spec: HttpSpec, environment: HttpEnvironment) {
    this.spec = spec;
    const stats = new HttpStats(environment.registry, spec.statPrefix);
    this.#ports = {
      ...environment,
      spec,
      stats,
      faults: { active: 0 },
      routes: routeSource(spec, environment),
      finished: (info, connection) => this.#finished(info, connection),
    };
    this.#server = new HttpServer<Connection>({
      maxHeaderBytes: spec.maxHeaderBytes,
      idleTimeout: spec.idleTimeout,
      onRequest: (request, connection) => {
        connection.requests++;
        try {
          void new HttpStream(request, connection, this.#ports);
        } catch (error) {
          // A bug in one stream is no reason to keep its client waiting.
          environment.logger.error('stream failed', { error: describeError(error) });
          request.reset();
        }
      },
      onUpgrade: (upgrade, connection) => void serveTunnel(upgrade, connection, this.#ports),
      onProtocolError: (status) => {
        stats.begin();
        stats.end(status, 0);
      },
    });
  }

  /** Open connections. */
  get size(): number {
    return this.#server.size;
  }

  accept(socket: Socket, connection: Connection): void {
    const { stats } = this.#ports;
    stats.cxTotal.inc();
    stats.cxActive.inc();
    socket.once('close', () => stats.cxActive.dec());
    this.#server.accept(socket, connection);
  }

  /** Idle connections are closed, the others after their response. */
  drain(): void {
    this.#server.drain();
  }

  #finished(info: StreamInfo, connection: Connection): void {
    const { stats, telemetry } = this.#ports;
    stats.end(info.responseCode, info.duration ?? 0);
    if (info.flags.includes('NR')) stats.noRoute.inc();
    telemetry.http(info, connection);
    for (const log of this.spec.accessLogs) log(info);
  }
}
