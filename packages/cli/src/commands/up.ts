import { appendFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock, textLogger } from '@flotilla/host';
import {
  type ClusterFile,
  defaultPorts,
  newPassword,
  nodeNames,
  type Ports,
  prepareDirectories,
  readClusterFile,
  writeAtomically,
} from '../cluster.js';
import { UserError } from '../errors.js';
import { type ClusterPaths, clusterPaths } from '../home.js';
import { type KubeconfigEntry, mergeKubeconfig, renderKubeconfig } from '../kubeconfig.js';
import { components } from '../nats-config.js';
import { findNatsServer } from '../nats-server.js';
import { ensurePki, type Pki, readPem } from '../pki.js';
import { checkPorts } from '../ports.js';
import { type Progress, progressOn } from '../progress.js';
import { type Slot, takeSlot } from '../slot.js';
import { askSupervisor, serveControl } from '../supervisor/control.js';
import { rotateLog } from '../supervisor/log-file.js';
import { awaitCluster } from '../supervisor/readiness.js';
import { hostAddress, serviceSpecs } from '../supervisor/specs.js';
import { killStrays, Supervisor } from '../supervisor/supervisor.js';
import { type DetachedMessage, progressOutput } from './detached.js';

export interface UpOptions {
  name: string;
  nodes?: number;
  detach?: boolean;
  profile?: ClusterFile['profile'];
  ports: Partial<Ports>;
  mergeKubeconfig: boolean;
  verbose?: boolean;
}

/** What this cluster is: as it was when last up, with what the flags change. */
function resolveCluster(options: UpOptions, stored: ClusterFile | undefined, slot: number): ClusterFile {
  const nodes = options.nodes ?? stored?.nodes ?? 3;
  const identities = [...components, ...nodeNames(nodes)];
  const passwords = Object.fromEntries(identities.map((id) => [id, stored?.passwords[id] ?? newPassword()]));
  return {
    name: options.name,
    nodes,
    ports: { ...defaultPorts, ...stored?.ports, ...options.ports },
    profile: options.profile ?? stored?.profile ?? 'fast',
    slot,
    passwords,
  };
}

/** Refuses a second `up`; clears away what a supervisor that died has left running. */
async function checkRunning(paths: ClusterPaths, progress: Progress): Promise<void> {
  const reply = await askSupervisor(paths.socket, { op: 'status' });
  if (reply) {
    const pid = reply.ok ? reply.status?.pid : undefined;
    throw new UserError(
      `cluster "${paths.name}" is already up (supervisor pid ${pid})`,
      `see it: flotilla status   stop it: flotilla down   another one: flotilla up --name other`,
    );
  }
  const killed = await killStrays(paths.dir);
  if (killed > 0) progress.line(` ! stopped ${killed} processes of this cluster, whose supervisor was gone`);
}

function kubeconfigEntry(name: string, port: number, pki: Pki): KubeconfigEntry {
  return {
    name,
    server: `https://${hostAddress}:${port}`,
    ca: readPem(pki.caCert),
    clientCert: readPem(pki.adminCert),
    clientKey: readPem(pki.adminKey),
  };
}

function summary(cluster: ClusterFile, paths: ClusterPaths, merged: string | undefined, ms: number): string {
  const context = cluster.name === 'flotilla' ? '' : ` --name ${cluster.name}`;
  return `
Cluster "${cluster.name}" is up: ${cluster.nodes} nodes in ${(ms / 1000).toFixed(2)} s.

  API server        https://${hostAddress}:${cluster.ports.api}
  ingress gateway   http://${hostAddress}:${cluster.ports.http}
  kubeconfig        ${paths.kubeconfig}${merged ? `\n                    context "${cluster.name}" is current in ${merged}` : ''}

Next:
  ${merged ? '' : `export KUBECONFIG=${paths.kubeconfig}\n  `}kubectl get nodes
  kubectl label namespace default istio-injection=enabled
  npx flotilla status${context}
  npx flotilla down${context}
`;
}

/** Runs a cluster in this process until Ctrl-C, SIGTERM or `flotilla down`. */
export async function up(options: UpOptions, started = performance.now()): Promise<void> {
  const progress = progressOn(progressOutput());
  const paths = clusterPaths(options.name);
  prepareDirectories(paths);
  await checkRunning(paths, progress);
  const stored = readClusterFile(paths);
  const slot = await takeSlot(stored?.slot, paths.dir);
  const cluster = resolveCluster(options, stored, slot.slot);
  await checkPorts(hostAddress, cluster.ports);
  const found = progress.step('find nats-server');
  const nats = await findNatsServer(paths.cache);
  found(`${nats.path} ${nats.version.join('.')}${nats.origin === 'fetched' ? ', fetched' : ''}`);
  const prepared = progress.step('certificates, configurations');
  const pki = await ensurePki(paths.pki, {
    dns: [
      'localhost',
      'kubernetes',
      'kubernetes.default',
      'kubernetes.default.svc',
      'kubernetes.default.svc.cluster.local',
    ],
    ips: [hostAddress, `127.${192 + slot.slot}.0.1`],
  });
  writeAtomically(paths.clusterFile, `${JSON.stringify(cluster, null, 2)}\n`);
  prepared();
  const logFile = join(paths.logs, 'supervisor.log');
  rotateLog(logFile);
  const logger = textLogger('supervisor', {
    write: (line) => {
      appendFileSync(logFile, line);
      if (options.verbose) process.stderr.write(line);
    },
  });
  const specs = serviceSpecs({ paths, cluster, nats, pki, logLevel: options.verbose ? 'debug' : 'info' });
  const supervisor = new Supervisor(paths.dir, specs, { clock: systemClock, logger });
  const end = terminator(supervisor, paths, slot);
  const control = await serveControl(paths.socket, async (ask) => {
    if (ask.op === 'status') {
      return { ok: true, status: { pid: process.pid, services: supervisor.services.map((s) => s.status()) } };
    }
    if (ask.op === 'fault') {
      const result = supervisor.fault(ask.fault);
      return 'done' in result ? { ok: true, text: result.done } : { ok: false, error: result.refused };
    }
    await end(undefined);
    setImmediate(() => process.exit(0));
    return { ok: true, text: 'stopped' };
  });
  control.unref();
  supervisor.start();
  try {
    const entry = kubeconfigEntry(cluster.name, cluster.ports.api, pki);
    writeAtomically(paths.kubeconfig, renderKubeconfig(entry));
    const merged = options.mergeKubeconfig ? await mergeKubeconfig(entry, paths.kubeconfig) : undefined;
    await awaitCluster(supervisor, cluster, paths.kubeconfig, progress);
    progress.line(summary(cluster, paths, merged, performance.now() - started));
    if (process.send) process.send({ type: 'up' } satisfies DetachedMessage);
    else progress.line('Ctrl-C stops the cluster; its state is kept.');
  } catch (error) {
    await end(undefined);
    throw error;
  }
}

/** Ends the cluster once, whoever asks first: a signal, `flotilla down`, or a failed start. */
function terminator(supervisor: Supervisor, paths: ClusterPaths, slot: Slot): (signal?: string) => Promise<void> {
  let ending: Promise<void> | undefined;
  const end = (signal?: string): Promise<void> => {
    ending ??= (async () => {
      if (signal === 'SIGINT') process.stdout.write('\nstopping the cluster …\n');
      await supervisor.stop();
      rmSync(paths.socket, { force: true });
      slot.release();
    })();
    return ending;
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => void end(signal).then(() => process.exit(0)));
  }
  return end;
}
