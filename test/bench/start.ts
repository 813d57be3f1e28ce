import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { request } from 'node:http';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { TestCluster } from '@flotilla/testkit';
import { BenchApi, type Conditioned, isReady } from './api.js';
import { echoObjects } from './echo.js';

const cli = fileURLToPath(new URL('../../../packages/cli/bin/flotilla.js', import.meta.url));
const pause = (ms: number): Promise<void> => new Promise((next) => setTimeout(next, ms));
const median = (values: number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

/** What starting a Node process costs on this machine: the yardstick. */
export async function bareNode(runs = 7): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < runs; i++) {
    const started = performance.now();
    await once(spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' }), 'exit');
    times.push(performance.now() - started);
  }
  return median(times);
}

function status(port: number): Promise<number> {
  return new Promise((resolve) => {
    const message = request({ host: '127.0.0.1', port, path: '/' }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    message.on('error', () => resolve(0));
    message.end();
  });
}

interface Run {
  api: number;
  nodes: number;
  first200: number;
  services: { name: string; readyMs?: number }[];
}

async function waitForApi(cluster: TestCluster): Promise<BenchApi> {
  while (!existsSync(cluster.kubeconfig)) await pause(10);
  const api = new BenchApi(cluster.kubeconfig, cluster.ports.api);
  while ((await api.call('GET', '/api/v1/namespaces/default'))?.status !== 200) await pause(20);
  return api;
}

async function applyAll(api: BenchApi): Promise<void> {
  for (const { path, body } of echoObjects(1)) {
    const reply = await api.call('POST', path, body);
    if (reply?.status !== 201) throw new Error(`POST ${path}: ${JSON.stringify(reply?.body)}`);
  }
}

async function once200(port: number): Promise<void> {
  while ((await status(port)) !== 200) await pause(15);
}

async function nodesReady(api: BenchApi, count: number): Promise<void> {
  const ready = new Set<string>();
  await api.watch<Conditioned>('/api/v1/nodes', (node) => {
    if (isReady(node)) ready.add(node.metadata.name);
    return ready.size === count;
  });
}

async function measure(): Promise<Run> {
  const cluster = await TestCluster.prepare();
  const started = performance.now();
  const since = (): number => performance.now() - started;
  const child = spawn(process.execPath, [cli, 'up', ...cluster.upArgs], {
    env: { ...process.env, ...cluster.env },
    stdio: 'ignore',
  });
  try {
    const api = await waitForApi(cluster);
    const result: Run = { api: since(), nodes: 0, first200: 0, services: [] };
    await Promise.all([
      nodesReady(api, 3).then(() => (result.nodes = since())),
      applyAll(api)
        .then(() => once200(cluster.ports.http))
        .then(() => (result.first200 = since())),
    ]);
    api.close();
    const said = JSON.parse((await cluster.flotilla('status', '--json')).stdout) as Pick<Run, 'services'>;
    return { ...result, services: said.services };
  } finally {
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
    await cluster.destroy();
  }
}

/** Time from the command to three nodes Ready and to the first 200 through the gateway, fresh home each time. */
export async function benchStart(runs = 5): Promise<void> {
  const bare = await bareNode();
  const results: Run[] = [];
  for (let i = 0; i < runs; i++) results.push(await measure());
  const line = (what: string, ms: number, aim?: number): void =>
    console.log(
      `${what.padEnd(34)} ${ms.toFixed(0).padStart(6)} ms  ${(ms / bare).toFixed(1).padStart(5)}×${aim ? `  (aim ≤ ${aim}×)` : ''}`,
    );
  console.log(`start: ${runs} runs, median; ${cpus().length} cores\n`);
  line('node -e 0', bare);
  line('API server answers', median(results.map((r) => r.api)));
  line('three nodes Ready', median(results.map((r) => r.nodes)), 15);
  line('first 200 through the gateway', median(results.map((r) => r.first200)), 25);
  console.log('\nwhere the time goes (process start to ready, in parallel):');
  for (const { name } of results[0]?.services ?? []) {
    line(`  ${name}`, median(results.map((r) => r.services.find((s) => s.name === name)?.readyMs ?? 0)));
  }
}
