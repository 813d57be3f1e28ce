import { readFile } from 'node:fs/promises';
import { objectCodec, proxyVersion, startApiServer } from '@flotilla/apiserver';
import { describeError, type Logger, nameSuffix } from '@flotilla/base';
import { Client, connectNats, natsNodeLiveness, natsTransport } from '@flotilla/client';
import { startControllers } from '@flotilla/controllers';
import { type MasterConfig, type RunningProcess, systemClock, systemRandom } from '@flotilla/host';
import { startScheduler } from '@flotilla/scheduler';
import { JetStreamStore } from '@flotilla/store';
import { bootstrap } from './bootstrap.js';
import { volumeDirectories } from './volumes.js';

export interface Master extends RunningProcess {
  /** Of the HTTPS door. */
  readonly address: { host: string; port: number };
}

/**
 * The control plane in one process: API server, controllers, scheduler. Resolves when the API serves both doors and the
 * others have been started. `onDeposed` is called when another process has taken the store over, or the log has changed
 * under us: what is in memory can no longer be trusted, so the process must end.
 */
export async function startMaster(
  config: MasterConfig,
  deps: { logger: Logger; onDeposed: (reason: Error) => void },
): Promise<Master> {
  const { logger } = deps;
  const [clock, random] = [systemClock, systemRandom];
  const connect = (who: 'apiserver' | 'controllers' | 'scheduler' | 'system') =>
    connectNats(config.nats[who], { logger: logger.with({ connection: who }), waitForServer: true });
  // What the others need is under way while the API server replays its log.
  const others = Promise.all([connect('controllers'), connect('scheduler'), connect('system')]);
  others.catch(() => undefined);
  const tls = readTls(config);
  const nats = await connect('apiserver');
  const store = await JetStreamStore.open(objectCodec, {
    nc: nats,
    identity: `master-${process.pid}-${nameSuffix(random)}`,
    clock,
    logger: logger.with({ part: 'store' }),
  });
  void store.deposed.then(deps.onDeposed);
  await store.whenWriter();
  const api = await startApiServer({
    store,
    profile: config.profile,
    serviceCIDR: config.network.serviceCIDR,
    mesh: {
      clusterDomain: config.network.clusterDomain,
      proxyVersion,
      discoveryAddress: 'istiod.istio-system.svc:15012',
    },
    https: { ...config.listen, tls: await tls },
    nats,
    checks: [
      { name: 'store', failure: () => (store.role === 'writer' ? undefined : `the store's role is ${store.role}`) },
    ],
    prepare: (request) => bootstrap(request, config),
    clock,
    random,
    logger: logger.with({ part: 'apiserver' }),
  });
  const [controllersNats, schedulerNats, systemNats] = await others;
  const parts = { clock, random };
  const liveness = natsNodeLiveness({ nc: controllersNats, system: systemNats, logger });
  const controllers = startControllers({
    ...parts,
    client: new Client(natsTransport(controllersNats, 'controllers'), { logger }),
    liveness,
    volumes: volumeDirectories(config.volumesDir),
    logger: logger.with({ part: 'controllers' }),
    config: {
      profile: config.profile,
      network: config.network,
      clusterCA: (await tls).ca,
      hostAddress: config.gateway.host,
    },
  });
  const scheduler = startScheduler({
    ...parts,
    client: new Client(natsTransport(schedulerNats, 'scheduler'), { logger }),
    logger: logger.with({ part: 'scheduler' }),
    config: { profile: config.profile },
  });
  return {
    address: api.address ?? config.listen,
    async stop() {
      const quietly = (what: string, end: Promise<unknown>): Promise<unknown> =>
        end.catch((error: unknown) =>
          logger.warn(`${what} did not stop in good order`, { error: describeError(error) }),
        );
      await Promise.all([
        quietly('controllers', controllers.stop()),
        quietly('scheduler', scheduler.stop()),
        quietly('liveness', liveness.close()),
      ]);
      await quietly('API server', api.stop());
      await quietly('store', store.close());
      await Promise.all([nats, controllersNats, schedulerNats, systemNats].map((nc) => quietly('NATS', nc.close())));
    },
  };
}

async function readTls({ pki }: MasterConfig): Promise<{ ca: string; cert: string; key: string }> {
  const [ca, cert, key] = await Promise.all(
    [pki.caCert, pki.serverCert, pki.serverKey].map((file) => readFile(file, 'utf8')),
  );
  return { ca: ca ?? '', cert: cert ?? '', key: key ?? '' };
}
