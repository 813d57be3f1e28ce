import { spawn } from 'node:child_process';
import { appendFileSync, closeSync, openSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { type core, isPodReady, pods } from '@flotilla/api';
import { silentLogger } from '@flotilla/base';
import { Client, httpsTransport, loadKubeconfig } from '@flotilla/client';
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
import { type Progress, type ProgressOutput, progressOn } from '../progress.js';
import { type Slot, takeSlot } from '../slot.js';
import { askSupervisor, serveControl } from '../supervisor/control.js';
import { rotateLog } from '../supervisor/log-file.js';
import type { Service } from '../supervisor/service.js';
import { hostAddress, serviceSpecs } from '../supervisor/specs.js';
import { killStrays, Supervisor } from '../supervisor/supervisor.js';

export interface UpOptions {
  name: string;
  nodes?: number;
  detach?: boolean;
  profile?: ClusterFile['profile'];
  ports: Partial<Ports>;
  mergeKubeconfig: boolean;
  verbose?: boolean;
}

/** Longest wait for one process to become ready, before `up` gives up and says whose log to read. */
const readyTimeoutMs = 30_000;

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

/** The last lines of a log, for an error that would otherwise send the user looking. */
function tail(file: string, lines = 5): string {
  try {
    return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  } catch {
    return '';
  }
}

function whenReady(service: Service): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const failed = new Promise<never>((_, reject) => {
    const fail = (): void => {
      const how = service.lastExit ? ` (last ended with ${service.lastExit})` : '';
      reject(
        new UserError(
          `${service.name} did not become ready${how}:\n${tail(service.logFile)}`,
          `see ${service.logFile}`,
        ),
      );
    };
    timer = setTimeout(fail, readyTimeoutMs);
  });
  return Promise.race([service.whenReady(), failed]).finally(() => clearTimeout(timer));
}

/** Ready, and started by this `up`: what a resumed cluster remembers of its pods is from before. */
function servesSince(pod: core.Pod, startedMs: number): boolean {
  const starts = (pod.status.containerStatuses ?? []).map((status) =>
    Date.parse(status.state?.running?.startedAt ?? ''),
  );
  // Times in the API are whole seconds.
  return isPodReady(pod) && starts.every((at) => at + 1000 > startedMs);
}

/** Resolves once a pod of the ingress gateway is Ready: it serves, though without a Gateway it listens to nobody yet. */
async function gatewayReady(kubeconfig: string, startedMs: number): Promise<void> {
  const transport = httpsTransport(await loadKubeconfig(kubeconfig));
  const gateways = new Client(transport, { logger: silentLogger }).resource(pods);
  const selection = { namespace: 'istio-system', labelSelector: 'istio=ingressgateway' };
  const signal = AbortSignal.timeout(readyTimeoutMs);
  try {
    const { items, resourceVersion } = await gateways.list(selection);
    if (items.some((pod) => servesSince(pod, startedMs))) return;
    for await (const event of gateways.watch({ ...selection, resourceVersion }, signal)) {
      if (event.type !== 'DELETED' && servesSince(event.object, startedMs)) return;
    }
    throw new UserError('the API server ended the watch of the ingress gateway', 'flotilla status');
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new UserError('the ingress gateway is not Ready', 'kubectl -n istio-system describe pods', error);
  } finally {
    await transport.close();
  }
}

/** Resolves once HTTP comes back from the gateway's port on this machine: its pod is Ready, its way there may lag. */
async function gatewayAnswers(port: number): Promise<void> {
  const deadline = performance.now() + readyTimeoutMs;
  const probe = (): Promise<boolean> =>
    new Promise((resolve) => {
      const attempt = request({ host: hostAddress, port, path: '/', timeout: 1_000, agent: false }, (response) => {
        response.resume();
        resolve(true);
      });
      attempt.on('error', () => resolve(false));
      attempt.on('timeout', () => attempt.destroy());
      attempt.end();
    });
  while (!(await probe())) {
    if (performance.now() > deadline) {
      throw new UserError(`the ingress gateway does not answer on port ${port}`, 'kubectl -n istio-system get pods');
    }
    await new Promise((next) => setTimeout(next, 10));
  }
}

async function awaitCluster(
  supervisor: Supervisor,
  cluster: ClusterFile,
  kubeconfig: string,
  progress: Progress,
): Promise<void> {
  const startedMs = Date.now();
  const wait = async (title: string, services: Service[], remark?: string): Promise<void> => {
    const end = progress.step(title);
    await Promise.all(services.map(whenReady));
    end(remark);
  };
  const named = (name: string): Service[] => supervisor.services.filter((s) => s.name === name);
  const agents = supervisor.services.filter((s) => s.name.startsWith('agent:'));
  const gateway = async (): Promise<void> => {
    const end = progress.step('ingress gateway');
    await Promise.all(named('master').map(whenReady));
    await gatewayReady(kubeconfig, startedMs);
    await gatewayAnswers(cluster.ports.http);
    end();
  };
  await Promise.all([
    wait('nats-server', named('nats')),
    wait('master (API, controllers, scheduler)', named('master')),
    wait('pilot', named('pilot')),
    wait(`nodes Ready`, agents, nodeNames(cluster.nodes).join(', ')),
    gateway(),
  ]);
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
  const slot = await takeSlot(stored?.slot);
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

/** What a detached supervisor sends to the command that started it. */
type DetachedMessage = { type: 'text'; text: string } | { type: 'up' };

const detachedMark = 'FLOTILLA_DETACHED';

/** Where progress goes: to the terminal, or, detached, to the command that started us and may have left since. */
function progressOutput(): ProgressOutput {
  const mark = process.env[detachedMark];
  if (mark === undefined || !process.send) return process.stdout;
  return {
    isTTY: mark === 'tty',
    write: (text) => process.connected && process.send?.({ type: 'text', text } satisfies DetachedMessage),
  };
}

/** Starts the cluster in a process of its own, shows its progress, and returns when it is up. */
export async function upDetached(args: string[], name: string): Promise<void> {
  const paths = clusterPaths(name);
  prepareDirectories(paths);
  const logFile = join(paths.logs, 'supervisor.log');
  const log = openSync(logFile, 'a');
  const child = spawn(process.execPath, [process.argv[1] ?? '', 'up', ...args], {
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
    env: { ...process.env, [detachedMark]: process.stdout.isTTY ? 'tty' : 'plain' },
  });
  closeSync(log);
  const up = await new Promise<boolean>((resolve) => {
    child.on('message', (message: DetachedMessage) => {
      if (message.type === 'text') process.stdout.write(message.text);
      else resolve(true);
    });
    child.once('exit', () => resolve(false));
  });
  if (!up) throw new UserError('the cluster did not start', `see ${logFile}`);
  child.disconnect();
  child.unref();
}
