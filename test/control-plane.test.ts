import {
  type apps,
  type core,
  deployments,
  endpointSlices,
  namespaces,
  nodes,
  pods,
  replicaSets,
  services,
} from '@flotilla/api';
import { eventually } from '@flotilla/testkit';
import test from 'ava';
import { type ControlPlane, startControlPlane } from './support/control-plane.js';

/** Until `check` passes without throwing; gives back what it gave. */
async function until<T>(check: () => Promise<T>): Promise<T> {
  const passed = await eventually('the state that is waited for', async () => ({ value: await check() }), 15_000);
  return passed.value;
}

function deployment(name: string, replicas: number, template: Partial<core.PodSpec> = {}): apps.Deployment {
  return {
    metadata: { name, namespace: 'default' },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      strategy: {},
      template: {
        metadata: { labels: { app: name } },
        spec: {
          containers: [{ name: 'c', image: 'pause', ports: [{ name: 'http', containerPort: 80 }], resources: {} }],
          ...template,
        },
      },
    },
    status: {},
  };
}

const available = async (plane: ControlPlane, name: string): Promise<apps.Deployment> =>
  plane.client.resource(deployments).get(name, 'default');

async function untilAvailable(plane: ControlPlane, name: string, count: number): Promise<apps.Deployment> {
  return until(async () => {
    const found = await available(plane, name);
    const { availableReplicas = 0, updatedReplicas = 0, replicas = 0, observedGeneration } = found.status;
    if (
      observedGeneration === found.metadata.generation &&
      availableReplicas === count &&
      updatedReplicas === count &&
      replicas === count
    )
      return found;
    throw new Error(`not yet: ${JSON.stringify(found.status)}`);
  });
}

test('a deployment comes up, spread over the nodes, behind its service', async (t) => {
  const plane = await startControlPlane();
  t.teardown(() => plane.stop());
  await Promise.all(['node-1', 'node-2', 'node-3'].map((name) => plane.addNode(name)));
  await plane.client.resource(services).create({
    metadata: { name: 'web', namespace: 'default' },
    spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 'http' }] },
    status: { loadBalancer: {} },
  });
  const started = performance.now();
  await plane.client.resource(deployments).create(deployment('web', 6));
  await untilAvailable(plane, 'web', 6);
  t.log(`six pods available after ${Math.round(performance.now() - started)} ms`);
  const { items } = await plane.client.resource(pods).list({ namespace: 'default' });
  const perNode = new Map<string, number>();
  for (const pod of items) perNode.set(pod.spec.nodeName ?? '', (perNode.get(pod.spec.nodeName ?? '') ?? 0) + 1);
  t.deepEqual([...perNode.values()], [2, 2, 2]);
  const ready = await until(async () => {
    const slices = await plane.client.resource(endpointSlices).list({ namespace: 'default' });
    const endpoints = slices.items.flatMap((slice) => slice.endpoints ?? []);
    if (endpoints.filter((e) => e.conditions.ready).length !== 6) throw new Error('not yet');
    return slices.items;
  });
  t.is(ready.length, 1);
  t.deepEqual(ready[0]?.ports, [{ name: '', protocol: 'TCP', port: 80 }]);
});

test('a dead node is noticed and its pods replaced; it comes back', async (t) => {
  const plane = await startControlPlane();
  t.teardown(() => plane.stop());
  const [one] = await Promise.all(['node-1', 'node-2', 'node-3'].map((name) => plane.addNode(name)));
  await plane.client.resource(deployments).create(deployment('web', 6));
  await untilAvailable(plane, 'web', 6);
  const killed = performance.now();
  const since = (): number => Math.round(performance.now() - killed);
  await one!.kill();
  const readyOf = async (name: string): Promise<string | undefined> =>
    (await plane.client.resource(nodes).get(name)).status.conditions?.find((c) => c.type === 'Ready')?.status;
  await until(async () => {
    if ((await readyOf('node-1')) !== 'Unknown') throw new Error('not yet');
  });
  t.log(`NotReady after ${since()} ms`);
  await until(async () => {
    const { items } = await plane.client.resource(pods).list({ namespace: 'default' });
    const elsewhere = items.filter((pod) => pod.spec.nodeName !== 'node-1' && pod.status.phase === 'Running');
    if (elsewhere.length !== 6 || items.length !== 6) throw new Error(`not yet: ${items.length}`);
  });
  t.log(`six pods elsewhere after ${since()} ms`);
  t.is(await readyOf('node-2'), 'True');
  await one!.revive();
  await until(async () => {
    const node = await plane.client.resource(nodes).get('node-1');
    if (node.status.conditions?.find((c) => c.type === 'Ready')?.status !== 'True' || node.spec.taints?.length)
      throw new Error('not yet');
  });
});

test('a hung node is noticed by its silence', async (t) => {
  const plane = await startControlPlane();
  t.teardown(() => plane.stop());
  const [one] = await Promise.all(['node-1', 'node-2'].map((name) => plane.addNode(name)));
  await new Promise((done) => setTimeout(done, 300));
  const started = performance.now();
  await one!.hang();
  await until(async () => {
    const node = await plane.client.resource(nodes).get('node-1');
    if (node.status.conditions?.find((c) => c.type === 'Ready')?.status !== 'Unknown') throw new Error('not yet');
  });
  t.log(`NotReady after ${Math.round(performance.now() - started)} ms`);
  t.pass();
});

test('a changed template is rolled out and rolled back; the deployment goes with all it owns', async (t) => {
  const plane = await startControlPlane();
  t.teardown(() => plane.stop());
  await plane.addNode('node-1');
  const client = plane.client.resource(deployments);
  await client.create(deployment('web', 4));
  await untilAvailable(plane, 'web', 4);
  const ref = { name: 'web', namespace: 'default' };
  await client.patch(ref, { spec: { template: { metadata: { annotations: { v: '2' } } } } });
  const second = await untilAvailable(plane, 'web', 4);
  t.is(second.metadata.annotations?.['deployment.kubernetes.io/revision'], '2');
  await client.patch(ref, { spec: { template: { metadata: { annotations: { v: null } } } } });
  const third = await untilAvailable(plane, 'web', 4);
  t.is(third.metadata.annotations?.['deployment.kubernetes.io/revision'], '3');
  const sets = await plane.client.resource(replicaSets).list({ namespace: 'default' });
  t.deepEqual(
    sets.items
      .map((rs) => `${rs.metadata.annotations?.['deployment.kubernetes.io/revision']}: ${rs.spec.replicas}`)
      .toSorted(),
    ['2: 0', '3: 4'],
  );
  await client.delete(ref, { propagationPolicy: 'Foreground' });
  await until(async () => {
    const left = await plane.client.resource(pods).list({ namespace: 'default' });
    const objects = await client.list({ namespace: 'default' });
    if (left.items.length + objects.items.length > 0) throw new Error('not yet');
  });
});

test('a namespace is furnished, and emptied when it is deleted', async (t) => {
  const plane = await startControlPlane();
  t.teardown(() => plane.stop());
  await plane.addNode('node-1');
  const client = plane.client.resource(namespaces);
  await client.create({ metadata: { name: 'shop' }, spec: {}, status: {} });
  const shop = deployment('web', 2);
  shop.metadata.namespace = 'shop';
  await plane.client.resource(deployments).create(shop);
  await until(async () => {
    const { items } = await plane.client.resource(pods).list({ namespace: 'shop' });
    if (items.filter((pod) => pod.status.phase === 'Running').length !== 2) throw new Error('not yet');
  });
  await client.delete({ name: 'shop' });
  await until(async () => {
    const { items } = await client.list();
    if (items.some((n) => n.metadata.name === 'shop')) throw new Error('not yet');
  });
  t.is((await plane.client.resource(replicaSets).list({ namespace: 'shop' })).items.length, 0);
});
