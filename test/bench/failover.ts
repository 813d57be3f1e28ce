import { existsSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { TestCluster } from '@flotilla/testkit';
import { BenchApi, type Conditioned, isReady } from './api.js';
import { echoObjects } from './echo.js';

const replicas = 6;
const rate = 200;
/** As curl --retry and most client libraries do: again after 100 ms, 200 ms, 400 ms … of an idempotent request. */
const attemptsPerRequest = 6;
const firstPauseMs = 100;
const pause = (ms: number): Promise<void> => new Promise((next) => setTimeout(next, ms));

/** What became of a constant load of GETs, as a client sees it that retries what failed. */
class Load {
  sent = 0;
  retried = 0;
  lost = 0;
  slowest = 0;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #port: number;
  #timer: NodeJS.Timeout | undefined;
  readonly #open = new Set<Promise<void>>();

  constructor(port: number) {
    this.#port = port;
  }

  start(): void {
    const started = performance.now();
    // Open loop: what is slow does not slow the arrivals.
    this.#timer = setInterval(() => {
      const due = Math.floor(((performance.now() - started) / 1000) * rate);
      while (this.sent < due) this.#launch();
    }, 5);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#open);
    this.#agent.destroy();
  }

  #launch(): void {
    this.sent++;
    const one = this.#request().finally(() => this.#open.delete(one));
    this.#open.add(one);
  }

  async #request(): Promise<void> {
    const started = performance.now();
    for (let attempt = 1; attempt <= attemptsPerRequest; attempt++) {
      if ((await this.#once()) === 200) {
        if (attempt > 1) this.retried++;
        this.slowest = Math.max(this.slowest, performance.now() - started);
        return;
      }
      if (attempt < attemptsPerRequest) await pause(firstPauseMs * 2 ** (attempt - 1));
    }
    this.lost++;
  }

  #once(): Promise<number> {
    return new Promise((resolve) => {
      const message = request(
        { host: '127.0.0.1', port: this.#port, path: '/', agent: this.#agent, timeout: 5_000 },
        (response) => {
          response.resume();
          response.on('end', () => resolve(response.statusCode ?? 0));
          response.on('error', () => resolve(0));
        },
      );
      message.on('timeout', () => message.destroy());
      message.on('error', () => resolve(0));
      message.end();
    });
  }
}

interface PodList {
  items: Conditioned[];
}

async function pods(api: BenchApi, path: string): Promise<Conditioned[]> {
  return (await api.call<PodList>('GET', path))?.body.items ?? [];
}

const echoPods = '/api/v1/namespaces/default/pods?labelSelector=app%3Decho';
const gatewayPods = '/api/v1/namespaces/istio-system/pods';

/** Kills the node with or without the gateway while the load runs, and prints what the clients saw. */
async function measure(cluster: TestCluster, api: BenchApi, gatewayToo: boolean): Promise<void> {
  const gatewayNode = (await pods(api, gatewayPods))[0]?.spec.nodeName;
  const nodes = (await pods(api, echoPods)).map((pod) => pod.spec.nodeName ?? '');
  const victim = gatewayToo ? gatewayNode : nodes.find((node) => node !== gatewayNode);
  if (!victim) throw new Error('no node to kill');
  const load = new Load(cluster.ports.http);
  load.start();
  await pause(3_000);
  const agent = cluster.processes().find((p) => p.role === 'agent' && p.node === victim);
  let killed = performance.now();
  const since = (): number => performance.now() - killed;
  const notReady = api
    .watch<Conditioned>('/api/v1/nodes', (node) => node.metadata.name === victim && !isReady(node))
    .then(since);
  const command = cluster.flotilla('chaos', 'kill', 'node', victim);
  // The clock starts when the agent is dead, not when somebody typed the command.
  while (agent && existsSync(`/proc/${agent.pid}/exe`)) await pause(2);
  killed = performance.now();
  await command;
  const full = (async () => {
    for (;;) {
      const alive = (await pods(api, echoPods)).filter((pod) => pod.spec.nodeName !== victim && isReady(pod));
      if (alive.length >= replicas) return since();
      await pause(50);
    }
  })();
  const [detected, recovered] = await Promise.all([notReady, full]);
  await pause(3_000);
  await load.stop();
  console.log(`\nkilled ${victim}${gatewayToo ? ', which ran the gateway too' : ''}`);
  console.log(
    `  requests        ${load.sent} sent, ${load.lost} lost (aim 0), ${load.retried} answered after a client's retry, slowest ${load.slowest.toFixed(0)} ms`,
  );
  console.log(`  NotReady after  ${detected.toFixed(0)} ms (aim < 1500)`);
  console.log(`  ${replicas} replicas Ready after ${recovered.toFixed(0)} ms (aim < 5000)`);
  await cluster.flotilla('chaos', 'heal', 'node', victim);
  await api.watch<Conditioned>('/api/v1/nodes', (node) => node.metadata.name === victim && isReady(node));
}

/** A constant load through gateway and sidecars while a node dies. */
export async function benchFailover(): Promise<void> {
  console.log(`failover: ${rate} requests/s at an echo service of ${replicas} replicas with sidecars, 3 nodes`);
  const cluster = await TestCluster.start();
  try {
    const api = new BenchApi(cluster.kubeconfig, cluster.ports.api);
    const label = { metadata: { labels: { 'istio-injection': 'enabled' } } };
    const found = await api.call<object>('GET', '/api/v1/namespaces/default');
    const namespace = found?.body as { metadata: { labels?: Record<string, string> } };
    namespace.metadata.labels = { ...namespace.metadata.labels, ...label.metadata.labels };
    await api.call('PUT', '/api/v1/namespaces/default', namespace);
    for (const { path, body } of echoObjects(replicas)) await api.call('POST', path, body);
    while ((await pods(api, echoPods)).filter(isReady).length < replicas) await pause(100);
    await pause(2_000);
    await measure(cluster, api, false);
    await pause(3_000);
    await measure(cluster, api, true);
    api.close();
  } finally {
    await cluster.destroy();
  }
}
