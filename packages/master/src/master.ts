import { readFile } from 'node:fs/promises';
import { type ApiServerOptions, objectCodec, proxyVersion, startApiServer } from '@flotilla/apiserver';
import { describeError, type Logger, nameSuffix } from '@flotilla/base';
import { Client, connectNats, natsNodeLiveness, natsTransport } from '@flotilla/client';
import { startControllers } from '@flotilla/controllers';
import { type MasterConfig, type RunningProcess, systemClock, systemRandom } from '@flotilla/host';
import { startScheduler } from '@flotilla/scheduler';
import { JetStreamStore } from '@flotilla/store';
import type { NatsConnection } from 'nats';
import { bootstrap } from './bootstrap.js';
import { volumeDirectories } from './volumes.js';

export interface Master extends RunningProcess {
  /** Of the HTTPS door. */
  readonly address: { host: string; port: number };
}

export interface MasterDeps {
  logger: Logger;
  /**
   * Another process has taken the store over, or the log has changed under us: what is in memory can no longer be
   * trusted, so the process must end.
   */
  onDeposed: (reason: Error) => void;
}

/** What has been started, to be ended in the opposite order. */
class Running {
  readonly #logger: Logger;
  readonly #ends: { what: string; end: () => Promise<unknown> }[] = [];

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  add(what: string, end: () => Promise<unknown>): void {
    this.#ends.push({ what, end });
  }

  async stop(): Promise<void> {
    for (const { what, end } of this.#ends.splice(0).reverse()) {
      try {
        await end();
      } catch (error) {
        this.#logger.warn(`${what} did not stop in good order`, { error: describeError(error) });
      }
    }
  }
}

/**
 * The control plane in one process: API server, controllers, scheduler. Resolves when the API serves at both doors and
 * the others have been started.
 */
export async function startMaster(config: MasterConfig, deps: MasterDeps): Promise<Master> {
  const running = new Running(deps.logger);
  try {
    const address = await startAll(config, deps, running);
    return { address, stop: () => running.stop() };
  } catch (error) {
    await running.stop();
    throw error;
  }
}

const parts = { clock: systemClock, random: systemRandom };

type Who = keyof MasterConfig['nats'];

async function startAll(config: MasterConfig, deps: MasterDeps, running: Running): Promise<Master['address']> {
  const { logger } = deps;
  const connect = async (who: Who): Promise<NatsConnection> => {
    const nc = await connectNats(config.nats[who], { logger: logger.with({ connection: who }), waitForServer: true });
    running.add(`NATS connection ${who}`, () => nc.close());
    return nc;
  };
  // What the others need is under way while the API server replays its log.
  const others = Promise.all([connect('controllers'), connect('scheduler'), connect('system')]);
  others.catch(() => undefined); // Awaited below, perhaps after something else has failed.
  const tls = readTls(config);
  const [nc] = await Promise.all([connect('apiserver'), tls]);
  const store = await JetStreamStore.open(objectCodec, {
    ...parts,
    nc,
    identity: `master-${process.pid}-${nameSuffix(systemRandom)}`,
    logger: logger.with({ part: 'store' }),
  });
  running.add('the store', () => store.close());
  void store.deposed.then(deps.onDeposed);
  await store.whenWriter();
  const api = await startApiServer({
    ...parts,
    ...apiOptions(config),
    store,
    https: { ...config.listen, tls: await tls },
    nats: nc,
    checks: [{ name: 'store', failure: () => (store.role === 'writer' ? undefined : `its role is ${store.role}`) }],
    prepare: (request) => bootstrap(request, config),
    logger: logger.with({ part: 'apiserver' }),
  });
  running.add('the API server', () => api.stop());
  const [controllers, scheduler, system] = await others;
  runControllers({ config, logger, nc: controllers, system, ca: (await tls).ca }, running);
  runScheduler({ config, logger, nc: scheduler }, running);
  return api.address ?? config.listen;
}

function apiOptions({ profile, network }: MasterConfig): Pick<ApiServerOptions, 'profile' | 'serviceCIDR' | 'mesh'> {
  const { clusterDomain, serviceCIDR } = network;
  return {
    profile,
    serviceCIDR,
    mesh: { clusterDomain, proxyVersion, discoveryAddress: 'istiod.istio-system.svc:15012' },
  };
}

interface Part {
  config: MasterConfig;
  logger: Logger;
  nc: NatsConnection;
}

function runControllers(part: Part & { system: NatsConnection; ca: string }, running: Running): void {
  const { config, nc, system, ca } = part;
  const logger = part.logger.with({ part: 'controllers' });
  const liveness = natsNodeLiveness({ nc, system, logger });
  running.add('node liveness', () => liveness.close());
  const controllers = startControllers({
    ...parts,
    client: new Client(natsTransport(nc, 'controllers'), { logger }),
    liveness,
    volumes: volumeDirectories(config.volumesDir),
    logger,
    config: { profile: config.profile, network: config.network, clusterCA: ca, hostAddress: config.gateway.host },
  });
  running.add('the controllers', () => controllers.stop());
}

function runScheduler({ config, logger: parent, nc }: Part, running: Running): void {
  const logger = parent.with({ part: 'scheduler' });
  const client = new Client(natsTransport(nc, 'scheduler'), { logger });
  const scheduler = startScheduler({ ...parts, client, logger, config: { profile: config.profile } });
  running.add('the scheduler', () => scheduler.stop());
}

async function readTls({ pki }: MasterConfig): Promise<{ ca: string; cert: string; key: string }> {
  const [ca, cert, key] = await Promise.all(
    [pki.caCert, pki.serverCert, pki.serverKey].map((file) => readFile(file, 'utf8')),
  );
  return { ca: ca ?? '', cert: cert ?? '', key: key ?? '' };
}
