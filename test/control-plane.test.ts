import { existsSync } from 'node:fs';
import {
  type apps,
  type core,
  coreEvents,
  deployments,
  endpointSlices,
  namespaces,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  replicaSets,
  services,
  storageClasses,
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

test('a claim is provisioned for its pod, and its volume goes with it', async (t) => {
  const plane = await startControlPlane();
  t.teardown(() => plane.stop());
  await plane.addNode('node-1');
  await plane.client.resource(storageClasses).create({
    metadata: { name: 'local' },
    provisioner: 'flotilla.dev/local-path',
    volumeBindingMode: 'WaitForFirstConsumer',
    reclaimPolicy: 'Delete',
  });
  const claims = plane.client.resource(persistentVolumeClaims);
  await claims.create({
    metadata: { name: 'data', namespace: 'default' },
    spec: { storageClassName: 'local', accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    status: {},
  });
  const user = deployment('db', 1, { volumes: [{ name: 'd', persistentVolumeClaim: { claimName: 'data' } }] });
  await plane.client.resource(deployments).create(user);
  await untilAvailable(plane, 'db', 1);
  const bound = await claims.get('data', 'default');
  t.is(bound.status.phase, 'Bound');
  t.is(bound.metadata.annotations?.['volume.kubernetes.io/selected-node'], 'node-1');
  const volumes = plane.client.resource(persistentVolumes);
  const path = (await volumes.get(bound.spec.volumeName ?? '')).spec.hostPath?.path ?? '';
  t.true(existsSync(path));

  await claims.delete({ name: 'data', namespace: 'default' });
  t.truthy((await claims.get('data', 'default')).metadata.deletionTimestamp);
  await plane.client.resource(deployments).delete({ name: 'db', namespace: 'default' });
  await until(async () => {
    if ((await volumes.list()).items.length > 0) throw new Error('not yet');
  });
  t.false(existsSync(path));
});

test('a pod that fits nowhere says why, and is placed when there is room', async (t) => {
  const plane = await startControlPlane();
  t.teardown(() => plane.stop());
  await plane.addNode('node-1', { cpu: '1' });
  const big = deployment('big', 1);
  big.spec.template.spec.containers[0]!.resources = { requests: { cpu: '2' } };
  await plane.client.resource(deployments).create(big);
  const told = await until(async () => {
    const { items } = await plane.client.resource(coreEvents).list({ namespace: 'default' });
    const event = items.find((e) => e.reason === 'FailedScheduling');
    if (!event) throw new Error('not yet');
    return event.message ?? '';
  });
  t.regex(told, /^0\/1 nodes are available: 1 Insufficient cpu\. preemption: /);
  const { items } = await plane.client.resource(pods).list({ namespace: 'default' });
  t.like(
    items[0]?.status.conditions?.find((c) => c.type === 'PodScheduled'),
    { status: 'False', reason: 'Unschedulable' },
  );
  await plane.addNode('node-2', { cpu: '4' });
  await untilAvailable(plane, 'big', 1);
});

test('orphaned dependents stay, and are adopted again', async (t) => {
  const plane = await startControlPlane();
  t.teardown(() => plane.stop());
  await plane.addNode('node-1');
  const client = plane.client.resource(deployments);
  await client.create(deployment('web', 2));
  await untilAvailable(plane, 'web', 2);
  await client.delete({ name: 'web', namespace: 'default' }, { propagationPolicy: 'Orphan' });
  const sets = plane.client.resource(replicaSets);
  await until(async () => {
    const { items } = await sets.list({ namespace: 'default' });
    if (items.length !== 1 || items[0]?.metadata.ownerReferences?.length) throw new Error('not yet');
  });
  const before = (await plane.client.resource(pods).list({ namespace: 'default' })).items.map((p) =>
    String(p.metadata.uid),
  );
  await client.create(deployment('web', 2));
  await untilAvailable(plane, 'web', 2);
  const after = (await plane.client.resource(pods).list({ namespace: 'default' })).items.map((p) =>
    String(p.metadata.uid),
  );
  t.deepEqual(after.toSorted(), before.toSorted());
  t.is((await sets.list({ namespace: 'default' })).items.length, 1);
});

test('hundreds of pods are up within seconds', async (t) => {
  const plane = await startControlPlane();
  t.teardown(() => plane.stop());
  await Promise.all([1, 2, 3].map((n) => plane.addNode(`node-${n}`, { cpu: '64' })));
  const started = performance.now();
  await plane.client.resource(deployments).create(deployment('many', 300));
  await until(async () => {
    const { items } = await plane.client
      .resource(pods)
      .list({ namespace: 'default', fieldSelector: 'spec.nodeName!=' });
    if (items.length < 300) throw new Error(`${items.length} bound`);
  });
  const bound = performance.now() - started;
  await untilAvailable(plane, 'many', 300);
  t.log(`300 pods bound after ${Math.round(bound)} ms, available after ${Math.round(performance.now() - started)} ms`);
  t.pass();
});
