import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { configMaps, deployments, namespaces, services } from '@flotilla/api';
import { silentLogger } from '@flotilla/base';
import { Client, httpsTransport, loadKubeconfig } from '@flotilla/client';
import type { MasterConfig } from '@flotilla/host';
import {
  type CertificatePair,
  eventually,
  execute,
  findKubectl,
  freePorts,
  type NatsFixture,
  startNats,
  TestAuthority,
} from '@flotilla/testkit';
import test, { type ExecutionContext } from 'ava';
import { type Master, startMaster } from './master.js';

interface World {
  dir: string;
  nats: NatsFixture;
  config: MasterConfig;
  kubeconfig: string;
  start(): Promise<Master>;
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

function kubeconfigOf(server: string, ca: string, admin: CertificatePair): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
    clusters: [{ name: 'test', cluster: { server, 'certificate-authority-data': base64(ca) } }],
    users: [
      {
        name: 'test',
        user: { 'client-certificate-data': base64(admin.cert), 'client-key-data': base64(admin.key) },
      },
    ],
  });
}

async function world(t: ExecutionContext): Promise<World> {
  const dir = await mkdtemp(join(tmpdir(), 'flotilla-master-'));
  t.teardown(() => rm(dir, { recursive: true, force: true }));
  const users = ['apiserver', 'controllers', 'scheduler'].map((user) => ({ user }));
  const nats = await startNats({ users, systemAccount: true });
  t.teardown(() => nats.close());
  const authority = await TestAuthority.create();
  const [server, admin] = await Promise.all([
    authority.issue('CN=apiserver', '127.0.0.1'),
    authority.issue('CN=admin,O=system:masters'),
  ]);
  const file = async (name: string, text: string): Promise<string> => {
    await writeFile(join(dir, name), text);
    return join(dir, name);
  };
  const [port = 0] = await freePorts(1);
  const pki = {
    caCert: await file('ca.crt', authority.cert),
    caKey: '',
    serverCert: await file('server.crt', server.cert),
    serverKey: await file('server.key', server.key),
  };
  const kubeconfig = join(dir, 'kubeconfig');
  const config: MasterConfig = {
    cluster: 'test',
    clusterDir: dir,
    profile: 'fast',
    network: {
      driver: 'loopback',
      podCIDR: '127.65.0.0/16',
      localCIDR: '127.129.0.0/16',
      serviceCIDR: '127.193.0.0/16',
      clusterDomain: 'cluster.local',
    },
    nats: {
      apiserver: nats.access('apiserver'),
      controllers: nats.access('controllers'),
      scheduler: nats.access('scheduler'),
      system: nats.access('system'),
    },
    listen: { host: '127.0.0.1', port },
    pki,
    publicUrl: '',
    pilot: { host: '127.0.0.1', xdsPort: 15010 },
    gateway: { host: '127.0.0.1', httpPort: 8080, httpsPort: 8443 },
    volumesDir: join(dir, 'volumes'),
  };
  await mkdir(config.volumesDir);
  const start = async (): Promise<Master> => {
    const master = await startMaster(config, { logger: silentLogger, onDeposed: () => undefined });
    await writeFile(kubeconfig, kubeconfigOf(`https://127.0.0.1:${master.address.port}`, authority.cert, admin));
    return master;
  };
  return { dir, nats, config, kubeconfig, start };
}

const clientOf = async (kubeconfig: string): Promise<Client> =>
  new Client(httpsTransport(await loadKubeconfig(kubeconfig)), { logger: silentLogger });

test('a new cluster has what every cluster has; a restart keeps what was changed and mirrors what moved', async (t) => {
  const { start, kubeconfig, config } = await world(t);
  const first = await start();
  let client = await clientOf(kubeconfig);
  const names = (await client.resource(namespaces).list()).items.map((n) => n.metadata.name);
  t.deepEqual(names, ['default', 'istio-system', 'kube-node-lease', 'kube-public', 'kube-system']);
  const kubernetes = await client.resource(services).get('kubernetes', 'default');
  t.is(kubernetes.spec.clusterIP, '127.193.0.1');
  const gateway = { name: 'istio-ingressgateway', namespace: 'istio-system' };
  await eventually('the deployment controller works', async () => {
    const { metadata } = await client.resource(deployments).get(gateway.name, gateway.namespace);
    return metadata.annotations?.['deployment.kubernetes.io/revision'] === '1';
  });
  await client.resource(deployments).patch(gateway, { spec: { replicas: 3 } });
  const address = (await client.resource(services).get(gateway.name, gateway.namespace)).spec.clusterIP;
  await client.transport.close();
  await first.stop();

  config.gateway.httpPort = 9090;
  const second = await start();
  t.teardown(() => second.stop());
  client = await clientOf(kubeconfig);
  t.is((await client.resource(deployments).get(gateway.name, gateway.namespace)).spec.replicas, 3);
  const service = await client.resource(services).get(gateway.name, gateway.namespace);
  t.is(service.spec.clusterIP, address);
  t.is(service.metadata.annotations?.['flotilla.dev/host-ports'], '80=9090,443=8443');
  await client.transport.close();
});

test('while NATS is away reads are answered and writes wait; what was acknowledged is there afterwards', async (t) => {
  const { start, kubeconfig, nats } = await world(t);
  const master = await start();
  t.teardown(() => master.stop());
  const client = await clientOf(kubeconfig);
  const maps = client.resource(configMaps);
  const make = (name: string) => maps.create({ metadata: { name, namespace: 'default' }, data: {} });
  const acknowledged: string[] = [];
  const write = async (name: string): Promise<void> => {
    await make(name);
    acknowledged.push(name);
  };
  await write('before');
  await nats.kill();
  t.is((await maps.get('before', 'default')).metadata.name, 'before');
  const pending = Array.from({ length: 10 }, (_, i) => write(`during-${i}`).catch(() => undefined));
  await nats.start();
  await Promise.all(pending);
  await eventually('writes work again', async () => {
    await write(`after-${acknowledged.length}`);
    return true;
  });
  const present = new Set((await maps.list({ namespace: 'default' })).items.map((m) => m.metadata.name));
  t.deepEqual(
    acknowledged.filter((name) => !present.has(name)),
    [],
  );
  await client.transport.close();
});

const kubectl = findKubectl();
const walk = kubectl ? test : test.skip;

walk(`kubectl works on it${kubectl ? '' : ' (skipped: no kubectl on this machine)'}`, async (t) => {
  t.timeout(120_000);
  const { start, kubeconfig, dir } = await world(t);
  const master = await start();
  t.teardown(() => master.stop());
  const env = { KUBECONFIG: kubeconfig, HOME: dir };
  const run = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await execute(kubectl ?? '', args, { env });
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`);
    return stdout.trim();
  };
  const refused = async (...args: string[]): Promise<string> => {
    const { code, stderr } = await execute(kubectl ?? '', args, { env });
    t.not(code, 0, args.join(' '));
    return stderr.trim();
  };
  await run('create', 'namespace', 'demo');
  await run('create', 'deployment', 'web', '--image=nginx', '--replicas=2', '--port=80', '-n', 'demo');
  await run('create', 'configmap', 'settings', '--from-literal=a=b', '-n', 'demo');
  t.regex(await refused('create', 'configmap', 'settings', '-n', 'demo'), /configmaps "settings" already exists/);
  await run('expose', 'deployment', 'web', '--port=80', '-n', 'demo');
  await run('scale', 'deployment/web', '--replicas=3', '-n', 'demo');
  await run('set', 'image', 'deployment/web', 'nginx=nginx:2', '-n', 'demo');
  const spec = '{.spec.replicas} {.spec.template.spec.containers[0].image}';
  t.is(await run('get', 'deployment', 'web', '-n', 'demo', '-o', `jsonpath=${spec}`), '3 nginx:2');
  await eventually('pods of the deployment', async () => (await run('get', 'pods', '-n', 'demo')).includes('Pending'));
  t.regex(await run('describe', 'deployment', 'web', '-n', 'demo'), /ScalingReplicaSet/);
  t.regex(await run('api-resources'), /virtualservices +vs +networking\.istio\.io\/v1/);
  t.regex(await run('explain', 'pod.spec.containers'), /livenessProbe/);

  const manifest = join(dir, 'manifest.yaml');
  const text = (image: string): string =>
    `apiVersion: v1\nkind: Pod\nmetadata: {name: one, namespace: demo}\nspec:\n  containers: [{name: c, image: ${image}}]\n`;
  await writeFile(manifest, text('busybox'));
  t.is(await run('apply', '-f', manifest), 'pod/one created');
  t.is(await run('apply', '-f', manifest), 'pod/one unchanged');
  await writeFile(manifest, text('busybox:2'));
  t.is(await run('apply', '-f', manifest), 'pod/one configured');
  await writeFile(manifest, `${text('busybox:2')}  nonsense: 1\n`);
  t.regex(await refused('apply', '-f', manifest), /unknown field "spec.nonsense"/);
  await run('label', 'pod', 'one', 'tier=front', '-n', 'demo');
  await run('annotate', 'pod', 'one', 'note=hello', '-n', 'demo');
  t.is(await run('get', 'pods', '-l', 'tier=front', '-n', 'demo', '-o', 'name'), 'pod/one');
  t.regex(await refused('logs', 'one', '-n', 'demo'), /pod one does not have a host assigned/);
  await run('delete', 'pod', 'one', '-n', 'demo');
  await run('wait', '--for=delete', 'pod/one', '-n', 'demo', '--timeout=10s');
  await run('delete', 'namespace', 'demo', '--timeout=20s');
  t.regex(await refused('get', 'namespace', 'demo'), /namespaces "demo" not found/);
});
