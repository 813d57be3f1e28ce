import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, TestCluster } from '@flotilla/testkit';
import test from 'ava';
import { testWithKubectl } from './support/kubectl.js';

test('a taken port is named, with its holder and the flag that avoids it', async (t) => {
  const cluster = await TestCluster.prepare();
  t.teardown(() => cluster.destroy());
  const server = createServer();
  await new Promise<void>((ready) => server.listen(cluster.ports.api, '127.0.0.1', ready));
  t.teardown(() => server.close());
  const result = await cluster.flotilla('up', '--detach', ...cluster.upArgs);
  t.is(result.code, 1);
  const said = result.stderr + result.stdout + readFileSync(join(cluster.dir, 'logs', 'supervisor.log'), 'utf8');
  t.regex(said, new RegExp(`port ${cluster.ports.api} is taken by .*\\(pid ${process.pid}\\)`));
  t.regex(said, /--api-port/);
  t.deepEqual(cluster.processes(), []);
});

test('a home that cannot be written is named', async (t) => {
  if (process.getuid?.() === 0) {
    // Root may write anywhere: a file in the home's place stands for a place that refuses.
    const file = join(mkdtempSync(join(tmpdir(), 'flotilla-home-')), 'file');
    writeFileSync(file, '');
    t.teardown(() => rmSync(join(file, '..'), { recursive: true }));
    const cluster = await TestCluster.prepare({ env: {} });
    t.teardown(() => cluster.destroy());
    const { home } = cluster;
    t.teardown(() => rmSync(home, { recursive: true }));
    Object.defineProperty(cluster, 'home', { value: file });
    const result = await cluster.flotilla('up');
    t.is(result.code, 1);
    t.regex(result.stderr, /cannot be written .*\n.*FLOTILLA_HOME/);
    return;
  }
  const cluster = await TestCluster.prepare();
  t.teardown(() => cluster.destroy());
  chmodSync(cluster.home, 0o500);
  t.teardown(() => chmodSync(cluster.home, 0o700));
  const result = await cluster.flotilla('up');
  t.is(result.code, 1);
  t.regex(result.stderr, /cannot be written .*\n.*FLOTILLA_HOME/);
});

testWithKubectl('a second up is refused; down and up again resume the same cluster', async (t) => {
  t.timeout(120_000);
  const cluster = await TestCluster.start({ nodes: 2 });
  t.teardown(() => cluster.destroy());
  const again = await cluster.flotilla('up', ...cluster.upArgs);
  t.is(again.code, 1);
  t.regex(again.stderr, /already up \(supervisor pid \d+\)/);

  await cluster.kubectl('create', 'configmap', 'kept', '--from-literal=a=b');
  await cluster.kubectl('create', 'deployment', 'echo', '--image=hashicorp/http-echo', '--replicas=2');
  await cluster.kubectl('expose', 'deployment', 'echo', '--port=80', '--target-port=5678');
  await cluster.kubectl('rollout', 'status', 'deploy/echo', '--timeout=60s');
  const ip = await cluster.kubectl('get', 'service', 'echo', '-o', 'jsonpath={.spec.clusterIP}');
  t.is((await cluster.flotilla('down')).code, 0);
  t.deepEqual(cluster.processes(), []);
  const down = await cluster.flotilla('status');
  t.is(down.code, 1);
  t.regex(down.stderr, /is down/);

  await cluster.up();
  t.is(await cluster.kubectl('get', 'configmap', 'kept', '-o', 'jsonpath={.data.a}'), 'b');
  t.is(await cluster.kubectl('get', 'service', 'echo', '-o', 'jsonpath={.spec.clusterIP}'), ip);
  await eventually('the workload comes back', async () => {
    const ready = await cluster.kubectl('get', 'deploy', 'echo', '-o', 'jsonpath={.status.readyReplicas}');
    const running = cluster.processes().filter((p) => p.container === 'http-echo');
    return ready === '2' && running.length > 0;
  });
});

testWithKubectl('a half-dead cluster: down clears it away, up resumes it', async (t) => {
  t.timeout(120_000);
  const cluster = await TestCluster.start({ nodes: 1 });
  t.teardown(() => cluster.destroy());
  await cluster.kubectl('create', 'configmap', 'kept', '--from-literal=a=b');
  const pid = (JSON.parse((await cluster.flotilla('status', '--json')).stdout) as { pid: number }).pid;
  process.kill(pid, 'SIGKILL');
  await eventually('the supervisor is gone', () => !existsSync(`/proc/${pid}`));
  t.true(cluster.processes().length > 0, 'its processes live on');
  t.regex((await cluster.flotilla('status')).stderr, /is down, but \d+ of its processes still run/);
  const output = await cluster.up();
  t.regex(output, /stopped \d+ processes of this cluster, whose supervisor was gone/);
  t.is(await cluster.kubectl('get', 'configmap', 'kept', '-o', 'jsonpath={.data.a}'), 'b');
});
