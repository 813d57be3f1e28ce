import { randomUUID } from 'node:crypto';
import type { Clock, Logger, Random } from '@flotilla/base';
import type { Profile } from '@flotilla/host';
import type { NatsConnection } from 'nats';
import { admissionSteps } from './admission/admit.js';
import type { MeshConfig } from './admission/sidecar.js';
import { loopbackUser } from './authenticate.js';
import { type HttpsDoor, openHttpsDoor } from './doors/https.js';
import { natsNodeStreams, openNatsDoor } from './doors/nats.js';
import { expireEvents } from './event-expiry.js';
import { Metrics } from './metrics.js';
import type { HealthCheck } from './paths/health.js';
import { Paths } from './paths/paths.js';
import { Pipeline } from './pipeline.js';
import type { Request, Response } from './request.js';
import { Objects, type ObjectStore } from './storage.js';
import type { NodeStreams } from './subresources/log.js';

export interface ApiServerOptions {
  store: ObjectStore;
  profile: Profile;
  /** E.g. `127.193.0.0/16`. */
  serviceCIDR: string;
  mesh: MeshConfig;
  /** Absent: no HTTPS door. PEM texts. */
  https?: { host: string; port: number; tls: { ca: string; cert: string; key: string } };
  /** Absent: no NATS door, and no way to the nodes' agents. */
  nats?: NatsConnection;
  /** Runs before the doors open, e.g. to make what every cluster has. */
  prepare?: (request: ApiServer['request']) => Promise<void>;
  /** Besides the server's own. */
  checks?: readonly HealthCheck[];
  clock: Clock;
  random: Random;
  logger: Logger;
}

export interface ApiServer {
  readonly address: { host: string; port: number } | undefined;
  /** A request as the API server itself (group system:masters), without a door. */
  request(request: Partial<Request> & Pick<Request, 'method' | 'path'>): Promise<Response>;
  stop(): Promise<void>;
}

const noNodes: NodeStreams = {
  open: () => Promise.reject(new Error('this server has no way to the nodes')),
};

/** One pipeline, two doors. Resolves when both are open. */
export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { clock, random, logger, store, nats } = options;
  const metrics = new Metrics();
  metrics.gauge('flotilla_store_revision', () => store.revision());
  const objects = new Objects(store);
  const serverAddress = options.https ? `${options.https.host}:${options.https.port}` : '';
  const checks = [{ name: 'ping', failure: () => undefined }, ...(options.checks ?? [])];
  const pipeline = new Pipeline({
    objects,
    steps: admissionSteps({ profile: options.profile, serviceCIDR: options.serviceCIDR, mesh: options.mesh }),
    paths: new Paths({ serverAddress, checks, metrics }),
    nodes: nats ? natsNodeStreams(nats) : noNodes,
    metrics,
    clock,
    random,
    logger,
    newUid: randomUUID,
  });
  const request: ApiServer['request'] = (asked) => pipeline.handle(completed(asked));
  await options.prepare?.(request);
  let httpsDoor: HttpsDoor | undefined;
  if (options.https) httpsDoor = await openHttpsDoor({ ...options.https, pipeline, metrics, logger });
  // After the door that may find its address taken, so that a failed start leaves nothing open.
  const natsDoor = nats && openNatsDoor({ nc: nats, pipeline, metrics, logger });
  const expiry = expireEvents({ objects, clock, logger });
  return {
    address: httpsDoor?.address,
    request,
    async stop() {
      expiry.stop();
      await Promise.all([httpsDoor?.stop(), natsDoor?.stop()]);
    },
  };
}

const never = new AbortController().signal;

function completed(request: Partial<Request> & Pick<Request, 'method' | 'path'>): Request {
  return {
    query: new URLSearchParams(),
    user: loopbackUser,
    accept: undefined,
    contentType: request.body ? 'application/json' : undefined,
    ifNoneMatch: undefined,
    userAgent: 'flotilla',
    body: new Uint8Array(),
    signal: never,
    ...request,
  };
}
