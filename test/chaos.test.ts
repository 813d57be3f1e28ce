import { configMaps, type core, gateways, nodes, pods } from '@flotilla/api';
import { silentLogger } from '@flotilla/base';
import { Client, httpsTransport, loadKubeconfig } from '@flotilla/client';
import { eventually, TestCluster } from '@flotilla/testkit';
import type { ExecutionContext } from 'ava';
import test from 'ava';

// Kill, pause and heal everything there is; the cluster recovers, and no acknowledged write is lost.

interface Fixture {
  cluster: TestCluster;
  client: Client;
}

async function start(t: ExecutionContext, count: number): Promise<Fixture> {
  t.timeout(120_000);
  const cluster = await TestCluster.start({ nodes: count });
  t.teardown(() => cluster.destroy());
  const transport = httpsTransport(await loadKubeconfig(cluster.kubeconfig));
  t.teardown(() => transport.close());
  return { cluster, client: new Client(transport, { logger: silentLogger }) };
}

async function chaos(t: ExecutionContext, cluster: TestCluster, ...args: string[]): Promise<void> {
  const result = await cluster.flotilla('chaos', ...args);
  t.is(result.code, 0, result.stderr);
}

const pod = (name: string, nodeName?: string): core.Pod =>
  ({
    metadata: { name, namespace: 'default' },
    spec: {
      nodeName,
      restartPolicy: 'Always',
      containers: [{ name: 'main', image: 'hashicorp/http-echo', resources: {} }],
    },
    status: {},
  }) as core.Pod;

const readyCondition = (object: core.Pod | core.Node): string | undefined =>
  object.status.conditions?.find((c) => c.type === 'Ready')?.status;

const podReady = (client: Client, name: string): Promise<core.Pod> =>
  eventually(`pod ${name} Ready`, async () => {
    const found = await client.resource(pods).get(name, 'default');
    return readyCondition(found) === 'True' ? found : undefined;
  });

const nodeReady = (client: Client, name: string, status: string): Promise<unknown> =>
  eventually(
    `node ${name} Ready=${status}`,
    async () => readyCondition(await client.resource(nodes).get(name)) === status,
  );

/** Writes config maps one after the other until told to stop; gives back the names that were acknowledged. */
function writer(client: Client, prefix: string): { stop(): Promise<string[]> } {
  const acknowledged: string[] = [];
  let stopped = false;
  const work = (async () => {
    for (let i = 0; !stopped; i++) {
      const name = `${prefix}-${i}`;
      try {
        await client.resource(configMaps).create({ metadata: { name, namespace: 'default' }, data: { i: String(i) } });
        acknowledged.push(name);
      } catch {
        await new Promise((next) => setTimeout(next, 20)); // the outcome is unknown: not acknowledged, maybe written
      }
    }
  })();
  return {
    stop: async () => {
      stopped = true;
      await work;
      return acknowledged;
    },
  };
}

for (const victim of ['master', 'nats'] as const) {
  test(`${victim} killed under writes: it comes back, and every acknowledged write is there`, async (t) => {
    const { cluster, client } = await start(t, 1);
    const load = writer(client, victim);
    const countNow = async (): Promise<number> =>
      (await client.resource(configMaps).list({ namespace: 'default' })).items.length;
    await eventually('writes flow', async () => (await countNow()) > 20);
    for (let i = 0; i < 3; i++) {
      const before = cluster.processes().find((p) => p.role === victim)?.pid;
      await chaos(t, cluster, 'kill', victim);
      await eventually('another process', () => {
        const now = cluster.processes().find((p) => p.role === victim)?.pid;
        return now !== undefined && now !== before;
      });
      const count = await eventually('the API again', countNow);
      await eventually('writes flow again', async () => (await countNow()) > count + 5);
    }
    const acknowledged = await load.stop();
    const kept = new Set(
      (await client.resource(configMaps).list({ namespace: 'default' })).items.map((c) => c.metadata.name),
    );
    t.deepEqual(
      acknowledged.filter((name) => !kept.has(name)),
      [],
    );
    t.true(acknowledged.length > 30);
  });
}

test('a killed agent adopts its running pods; a killed container is restarted; a killed pod comes back', async (t) => {
  const { cluster, client } = await start(t, 1);
  await client.resource(pods).create(pod('a', 'node-1'));
  await podReady(client, 'a');
  const container = (): number | undefined => cluster.processes().find((p) => p.pod === 'default/a')?.pid;
  const agent = (): number | undefined => cluster.processes().find((p) => p.role === 'agent')?.pid;
  const before = { container: container(), agent: agent() };
  process.kill(before.agent!, 'SIGKILL');
  await eventually('another agent', () => agent() !== undefined && agent() !== before.agent);
  await nodeReady(client, 'node-1', 'True');
  await podReady(client, 'a');
  t.is(container(), before.container, 'the container never noticed');

  await chaos(t, cluster, 'kill', 'container', 'a/main');
  const restarted = await eventually('a restart is counted', async () => {
    const found = await client.resource(pods).get('a', 'default');
    const status = found.status.containerStatuses?.[0];
    return status && status.restartCount >= 1 && readyCondition(found) === 'True' ? status : undefined;
  });
  t.is(restarted.lastState?.terminated?.exitCode, 137);
});

test('a paused node is found out by its silence, and healed', async (t) => {
  const { cluster, client } = await start(t, 2);
  await chaos(t, cluster, 'pause', 'node', 'node-2');
  const started = performance.now();
  await nodeReady(client, 'node-2', 'Unknown');
  t.log(`NotReady after ${Math.round(performance.now() - started)} ms`);
  const taints = (await client.resource(nodes).get('node-2')).spec.taints ?? [];
  t.true(taints.some((taint) => taint.key === 'node.kubernetes.io/unreachable' && taint.effect === 'NoExecute'));
  await chaos(t, cluster, 'heal', 'node', 'node-2');
  await nodeReady(client, 'node-2', 'True');
  await eventually('no taint is left', async () => !(await client.resource(nodes).get('node-2')).spec.taints?.length);
});

test('pilot killed and paused: proxies keep serving what they know', async (t) => {
  const { cluster, client } = await start(t, 1);
  await client.resource(gateways).create({
    metadata: { name: 'open', namespace: 'default' },
    spec: {
      selector: { istio: 'ingressgateway' },
      servers: [{ port: { number: 80, name: 'http', protocol: 'HTTP' }, hosts: ['*'] }],
    },
  });
  const status = async (): Promise<number> => (await cluster.fetch('/')).status;
  t.is(await eventually('the gateway answers', status), 404, 'no route yet');
  await chaos(t, cluster, 'kill', 'pilot');
  t.is(await status(), 404);
  await chaos(t, cluster, 'pause', 'pilot');
  t.is(await status(), 404);
  await chaos(t, cluster, 'heal', 'pilot');
});
