import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AgentConfig, MasterConfig, PilotConfig } from '@flotilla/host';
import { processTags } from '@flotilla/host';
import { type ClusterFile, networkOf, nodeNames, writeAtomically } from '../cluster.js';
import type { ClusterPaths } from '../home.js';
import { natsAccess, type NatsConfigOptions, natsConfig } from '../nats-config.js';
import type { NatsServer } from '../nats-server.js';
import type { Pki } from '../pki.js';
import type { ServiceSpec } from './service.js';

/** The address of everything that people reach from this machine. */
export const hostAddress = '127.0.0.1';

/** The bundle of a process, beside the one that runs now. */
export function bundle(room: string, name: string): string {
  const packages = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
  return join(packages, room, 'dist', 'bin', `${name}.cjs`);
}

const catalogue = (): string => join(dirname(bundle('images', 'x')), '..', 'catalogue.json');

function canConnect(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.once('connect', () => socket.destroy() && resolve(true));
    socket.once('error', () => resolve(false));
  });
}

export interface SpecContext {
  paths: ClusterPaths;
  cluster: ClusterFile;
  nats: NatsServer;
  pki: Pki;
  logLevel?: MasterConfig['logLevel'];
}

function natsOptions({ paths, cluster, nats }: SpecContext): NatsConfigOptions {
  return {
    name: cluster.name,
    host: hostAddress,
    port: cluster.ports.nats,
    storeDir: paths.nats,
    passwords: cluster.passwords,
    version: nats.version,
  };
}

function natsSpec(context: SpecContext): ServiceSpec {
  const { paths, cluster, nats } = context;
  const file = join(paths.run, 'nats.conf');
  writeAtomically(file, natsConfig(natsOptions(context)));
  return {
    name: 'nats',
    command: nats.path,
    args: ['-c', file],
    env: { [processTags.role]: 'nats' },
    logFile: join(paths.logs, 'nats.log'),
    ready: () => canConnect(hostAddress, cluster.ports.nats),
  };
}

/** A Node process of ours: one bundle and one configuration file. */
function nodeSpec(context: SpecContext, name: string, program: string, config: object, env: object): ServiceSpec {
  const file = join(context.paths.run, `${name.replace(':', '-')}.json`);
  writeAtomically(file, `${JSON.stringify(config, null, 2)}\n`);
  return {
    name,
    command: process.execPath,
    args: [program, file],
    env: { ...env } as Record<string, string>,
    logFile: join(context.paths.logs, `${name.replace(':', '-')}.log`),
    ready: 'message',
  };
}

function masterSpec(
  context: SpecContext,
  base: Pick<MasterConfig, 'cluster' | 'clusterDir' | 'network' | 'profile'>,
): ServiceSpec {
  const { cluster, paths, pki } = context;
  const nats = natsOptions(context);
  const config: MasterConfig = {
    ...base,
    nats: {
      apiserver: natsAccess(nats, 'apiserver'),
      controllers: natsAccess(nats, 'controllers'),
      scheduler: natsAccess(nats, 'scheduler'),
      system: natsAccess(nats, 'system'),
    },
    listen: { host: hostAddress, port: cluster.ports.api },
    pki: { caCert: pki.caCert, caKey: pki.caKey, serverCert: pki.serverCert, serverKey: pki.serverKey },
    publicUrl: `https://${hostAddress}:${cluster.ports.api}`,
    pilot: { host: hostAddress, xdsPort: cluster.ports.xds },
    gateway: { host: hostAddress, httpPort: cluster.ports.http, httpsPort: cluster.ports.https },
    volumesDir: paths.volumes,
  };
  return nodeSpec(context, 'master', bundle('master', 'master'), config, { [processTags.role]: 'master' });
}

function pilotSpec(
  context: SpecContext,
  base: Pick<PilotConfig, 'cluster' | 'clusterDir' | 'network' | 'profile'>,
): ServiceSpec {
  const { ports } = context.cluster;
  const config: PilotConfig = {
    ...base,
    nats: natsAccess(natsOptions(context), 'pilot'),
    listen: { host: hostAddress, xdsPort: ports.xds, xdsTlsPort: ports.xdsTls, metricsPort: ports.pilotMetrics },
  };
  return nodeSpec(context, 'pilot', bundle('pilot', 'pilot'), config, { [processTags.role]: 'pilot' });
}

function agentSpec(
  context: SpecContext,
  base: Pick<AgentConfig, 'cluster' | 'clusterDir' | 'network' | 'profile'>,
  node: string,
  index: number,
): ServiceSpec {
  const { cluster, paths } = context;
  const prefix = `127.${64 + cluster.slot}.${index}`;
  const config: AgentConfig = {
    ...base,
    node,
    nats: natsAccess(natsOptions(context), node),
    podCIDR: `${prefix}.0/24`,
    nodeIP: `${prefix}.1`,
    nodeDir: join(paths.nodes, node),
    volumesDir: paths.volumes,
    pilot: { host: hostAddress, xdsPort: cluster.ports.xds },
    images: { catalogue: catalogue(), registryDir: paths.images },
    shim: bundle('sandbox', 'shim'),
    hostAddress,
  };
  const env = { [processTags.role]: 'agent', [processTags.node]: node };
  return nodeSpec(context, `agent:${node}`, bundle('node-agent', 'agent'), config, env);
}

/** Writes every process's configuration and tells how to start each, in the order in which they are started. */
export function serviceSpecs(context: SpecContext): ServiceSpec[] {
  const { cluster, paths } = context;
  const base = {
    cluster: cluster.name,
    clusterDir: paths.dir,
    network: networkOf(cluster.slot),
    profile: cluster.profile,
    logLevel: context.logLevel,
  };
  return [
    natsSpec(context),
    masterSpec(context, base),
    ...nodeNames(cluster.nodes).map((node, i) => agentSpec(context, base, node, i + 1)),
    pilotSpec(context, base),
  ];
}
