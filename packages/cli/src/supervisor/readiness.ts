import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { type core, isPodReady, pods } from '@flotilla/api';
import { silentLogger } from '@flotilla/base';
import { Client, httpsTransport, loadKubeconfig } from '@flotilla/client';
import { type ClusterFile, nodeNames } from '../cluster.js';
import { UserError } from '../errors.js';
import type { Progress } from '../progress.js';
import type { Service } from './service.js';
import { hostAddress } from './specs.js';
import type { Supervisor } from './supervisor.js';

/** Longest wait for one process to become ready, before `up` gives up and says whose log to read. */
const readyTimeoutMs = 30_000;

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

/** Resolves when everything serves; shows each part with its time. Throws a UserError that says what does not, and why. */
export async function awaitCluster(
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
