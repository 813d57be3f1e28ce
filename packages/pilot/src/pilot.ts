import type { Clock, Logger, Random } from '@flotilla/base';
import { Client, connectNats, natsTransport } from '@flotilla/client';
import type { PilotConfig } from '@flotilla/host';
import { KubeSource } from './ingest/kube-source.js';
import { World } from './ingest/world.js';
import { Discovery } from './serve/discovery.js';
import { pilotMetrics } from './serve/metrics.js';
import { serveAds } from './serve/grpc.js';
import { serveMonitoring } from './serve/monitoring.js';

/** Rules in this namespace hold for all, and the gateways live here. */
const rootNamespace = 'istio-system';

export interface RunningPilot {
  /** Ports as bound, for callers that asked for port 0. */
  readonly xdsPort: number;
  readonly metricsPort: number;
  stop(): Promise<void>;
}

/**
 * Watches the API and serves ADS. Proxies are let in only when everything has been listed once: an empty mesh, pushed by
 * a pilot that has just come back, would cut every connection. Resolves when it serves.
 */
export async function startPilot(
  config: PilotConfig,
  { clock, random, logger }: { clock: Clock; random: Random; logger: Logger },
): Promise<RunningPilot> {
  const { listen, nats } = config;
  const world = new World({ domain: config.network.clusterDomain, rootNamespace });
  const metrics = pilotMetrics();
  const discovery = new Discovery({ snapshot: () => world.snapshot(), clock, logger, metrics });
  let ready = false;
  const monitoring = await serveMonitoring(
    { host: listen.host, port: listen.metricsPort },
    { discovery, metrics, ready: () => ready },
  );
  const connection = await connectNats(nats, { logger, waitForServer: true });
  const client = new Client(natsTransport(connection, nats.user), { logger });
  const source = new KubeSource({ client, world, clock, random, logger, onChange: () => discovery.changed() });
  await source.start();
  const ads = await serveAds(discovery, { host: listen.host, port: listen.xdsPort }, logger);
  ready = true;
  logger.info('serving xDS', { host: listen.host, port: ads.port });
  return {
    xdsPort: ads.port,
    metricsPort: monitoring.port,
    async stop() {
      ready = false;
      discovery.stop();
      await Promise.all([ads.stop(), monitoring.stop(), source.stop()]);
      await client.transport.close();
      await connection.close();
    },
  };
}
