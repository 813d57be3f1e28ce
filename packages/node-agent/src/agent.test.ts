import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Resolver } from 'node:dns/promises';
import { connect, createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type core, type discovery, getCondition } from '@flotilla/api';
import { silentLogger } from '@flotilla/base';
import {
  apiRequestOf,
  connectNats,
  openStream,
  serveRequests,
  serveStreams,
  type StreamHandler,
} from '@flotilla/client';
import type { AgentConfig } from '@flotilla/host';
import { eventually, startNats } from '@flotilla/testkit';
import test from 'ava';
import { startAgent } from './agent.js';
import { FakeApi } from './testing/api.js';

test('an agent: registers, beats, runs, resolves, relays, tells logs, and stops', async (t) => {
  const nats = await startNats();
  t.teardown(() => nats.close());
  const dir = mkdtempSync(join(tmpdir(), 'flotilla-agent-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  mkdirSync(join(dir, 'volumes'));
  writeFileSync(
    join(dir, 'catalogue.json'),
    JSON.stringify({ images: [{ names: ['tools'], entrypoint: ['/bin/sh'] }] }),
  );
  writeFileSync(join(dir, 'shim.cjs'), '');

  const api = new FakeApi();
  const server = await connectNats(nats.access('apiserver'), { logger: silentLogger });
  t.teardown(() => server.close());
  serveRequests(server, 'api.*.request', (request) => api.request(request), { logger: silentLogger });
  const stream: StreamHandler = async (incoming, sink) => {
    sink.start(200, { 'Content-Type': 'application/json' });
    for await (const line of await api.stream(apiRequestOf(incoming)!, sink.signal)) await sink.write(line);
  };
  serveStreams(server, 'api.*.stream', stream, { logger: silentLogger });
  let beats = 0;
  server.subscribe('hb.node-1', { callback: () => void beats++ });

  const backend = createServer((socket) => socket.end('served')).listen(0, '127.126.202.99');
  await once(backend, 'listening');
  t.teardown(() => backend.close());
  const target = (backend.address() as { port: number }).port;
  api.put<core.Namespace>('Namespace', { metadata: { name: 'default' }, spec: {}, status: {} });
  api.put<core.Service>('Service', {
    metadata: { name: 'web', namespace: 'default' },
    spec: { clusterIP: '127.254.202.10', ports: [{ name: 'http', port: 8080, targetPort: target }] },
    status: { loadBalancer: {} },
  });
  api.put<discovery.EndpointSlice>('EndpointSlice', {
    metadata: { name: 'web-1', namespace: 'default', labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: target }],
    endpoints: [{ addresses: ['127.126.202.99'], conditions: { ready: true } }],
  });

  const config: AgentConfig = {
    cluster: 'test',
    clusterDir: dir,
    profile: 'fast',
    network: {
      driver: 'loopback',
      podCIDR: '127.126.0.0/16',
      localCIDR: '127.190.0.0/16',
      serviceCIDR: '127.254.202.0/24',
      clusterDomain: 'cluster.local',
    },
    node: 'node-1',
    nats: nats.access('node-1'),
    podCIDR: '127.126.202.0/24',
    nodeIP: '127.126.202.1',
    nodeDir: join(dir, 'node-1'),
    volumesDir: join(dir, 'volumes'),
    pilot: { host: '127.0.0.1', xdsPort: 15010 },
    images: { catalogue: join(dir, 'catalogue.json'), registryDir: join(dir, 'images') },
    shim: join(dir, 'shim.cjs'),
    hostAddress: '127.126.202.1',
    taints: [{ key: 'a', effect: 'NoSchedule' }],
  };
  const agent = await startAgent(config, silentLogger);
  let running = true;
  t.teardown(() => (running ? agent.stop() : undefined));

  const node = api.get<core.Node>('nodes//node-1')!;
  t.is(getCondition(node.status.conditions, 'Ready')?.status, 'True');
  t.like(node.metadata.labels, { 'kubernetes.io/hostname': 'node-1', 'kubernetes.io/os': 'linux' });
  t.like(node.status.nodeInfo, { kubeletVersion: 'v1.36.0+flotilla' });
  t.is(node.spec.podCIDR, '127.126.202.0/24');
  await eventually('lease', () => api.get('leases/kube-node-lease/node-1') !== undefined);
  await eventually('heartbeats', () => beats >= 2);
  await server.request('node.node-1.ping', undefined, { timeout: 2000 });

  const resolver = new Resolver({ timeout: 1000, tries: 1 });
  resolver.setServers(['127.126.202.1:10053']);
  t.deepEqual(await resolver.resolve4('web.default.svc.cluster.local'), ['127.254.202.10']);
  await eventually('relay', async () => {
    const socket = connect(8080, '127.254.202.10');
    const [data] = (await once(socket, 'data')) as [Buffer];
    return data.toString() === 'served';
  });

  api.put<core.Pod>('Pod', {
    metadata: { name: 'p', namespace: 'default' },
    spec: {
      nodeName: 'node-1',
      restartPolicy: 'Never',
      containers: [{ name: 'c', image: 'tools', args: ['-c', 'echo one; echo "$WEB_SERVICE_HOST"'], resources: {} }],
    },
    status: {},
  });
  await eventually('succeeded', () => api.pod('p')?.status.phase === 'Succeeded');
  const logs = async (container: string): Promise<[number, string]> => {
    const body = Buffer.from(JSON.stringify({ namespace: 'default', pod: 'p', container, options: { tailLines: 5 } }));
    const opened = await openStream(server, 'node-1', 'node.node-1.logs', { body }, AbortSignal.timeout(5000));
    const frames: Uint8Array[] = [];
    for await (const frame of opened.frames) frames.push(frame);
    return [opened.status, Buffer.concat(frames).toString()];
  };
  t.deepEqual(await logs('c'), [200, 'one\n127.254.202.10\n']);
  t.deepEqual(await logs('x'), [400, 'container x is not valid for pod p']);
  await eventually('events', () => api.events().some(({ reason }) => reason === 'Started'));

  // Somebody gives the node up; it takes that back.
  const conditions = node.status.conditions!.map((c) =>
    c.type === 'Ready' ? { ...c, status: 'Unknown' as const } : c,
  );
  api.put<core.Node>('Node', { ...node, status: { ...node.status, conditions } });
  await eventually('ready again', () => {
    const now = api.get<core.Node>('nodes//node-1')!;
    return getCondition(now.status.conditions, 'Ready')?.status === 'True';
  });

  await agent.stop();
  running = false;
  await t.throwsAsync(resolver.resolve4('web.default.svc.cluster.local'));
});
