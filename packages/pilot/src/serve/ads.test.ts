import { ManualClock, silentLogger } from '@flotilla/base';
import { systemClock } from '@flotilla/host';
import {
  AdsClientState,
  adsService,
  type DiscoveryRequest,
  type DiscoveryResponse,
  type Outgoing,
  type ResourceKind,
  resourceKind,
  typeUrls,
} from '@flotilla/xds';
import { Client, credentials, type ClientDuplexStream, status } from '@grpc/grpc-js';
import test, { type ExecutionContext } from 'ava';
import { bookinfo, bookinfoSubsets, type TestMesh } from '../testing.js';
import { configDump, syncStatus } from './config-dump.js';
import { Discovery } from './discovery.js';
import { serveAds } from './grpc.js';
import { pilotMetrics } from './metrics.js';

const node = {
  id: 'sidecar~127.65.1.2~productpage-v1-x.default~default.svc.cluster.local',
  metadata: { NAMESPACE: 'default', LABELS: { app: 'productpage', version: 'v1' }, INTERCEPTION_MODE: 'LOOPBACK' },
};
const reviews = 'outbound|9080||reviews.default.svc.cluster.local';

interface Served {
  mesh: TestMesh;
  discovery: Discovery;
  port: number;
}

async function serve(t: ExecutionContext): Promise<Served> {
  const mesh = bookinfo();
  const discovery = new Discovery({
    snapshot: () => mesh.snapshot,
    clock: systemClock,
    logger: silentLogger,
    metrics: pilotMetrics(),
  });
  const server = await serveAds(discovery, { host: '127.0.0.1', port: 0 }, silentLogger);
  t.teardown(async () => {
    discovery.stop();
    await server.stop();
  });
  return { mesh, discovery, port: server.port };
}

/** A real gRPC client that follows clusters, their endpoints, listeners and the route `9080`, as a proxy does. */
class TestProxy {
  readonly state: AdsClientState;
  /** Kinds of responses in the order they came. */
  readonly log: ResourceKind[] = [];
  readonly names = new Map<ResourceKind, string[]>();
  refuse: ((kind: ResourceKind) => string | undefined) | undefined;
  #stream: ClientDuplexStream<DiscoveryRequest, Outgoing<DiscoveryResponse>> | undefined;
  #waiting: (() => void)[] = [];
  readonly #client: Client;

  constructor(t: ExecutionContext, port: number, state = new AdsClientState(node)) {
    this.state = state;
    this.#client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
    t.teardown(() => this.close());
  }

  connect(): void {
    const { path, requestSerialize, responseDeserialize } = adsService.StreamAggregatedResources;
    const stream = this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    this.#stream = stream;
    stream.on('data', (response: DiscoveryResponse) => this.#take(response));
    stream.on('error', () => undefined);
    this.state.subscribe('cluster');
    this.state.subscribe('listener');
    for (const request of this.state.opened()) this.#write(request);
  }

  close(): void {
    this.#stream?.cancel();
    this.#client.close();
  }

  /** Resolves when `condition` holds, looking after every response. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #write(request: DiscoveryRequest | undefined): void {
    if (request) this.#stream?.write(request);
  }

  #take(response: DiscoveryResponse): void {
    const update = this.state.receive(response);
    if (update.is !== 'update') return;
    const refusal = this.refuse?.(update.kind);
    this.#write(refusal === undefined ? this.state.accept(update) : this.state.reject(update.kind, refusal));
    const all = [...update.resources.keys()];
    if (refusal === undefined && update.kind === 'cluster') {
      this.#write(
        this.state.subscribe(
          'endpoint',
          all.filter((name) => name.startsWith('outbound|')),
        ),
      );
    }
    if (refusal === undefined && update.kind === 'listener') this.#write(this.state.subscribe('route', ['9080']));
    this.log.push(update.kind);
    this.names.set(update.kind, all);
    for (const wake of this.#waiting.splice(0)) wake();
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

const isSynced = ({ discovery }: Served): boolean =>
  [...discovery.connections].every((connection) => connection.status().every(({ synced }) => synced));

test('a proxy gets clusters, endpoints, listeners, routes, and acknowledges them', async (t) => {
  const served = await serve(t);
  const proxy = new TestProxy(t, served.port);
  proxy.connect();
  await proxy.until(() => proxy.log.length >= 4);
  t.deepEqual(proxy.log, ['cluster', 'endpoint', 'listener', 'route']);
  t.true(proxy.names.get('cluster')!.includes(reviews));
  await until(() => isSynced(served));
  const [line] = syncStatus(served.discovery.connections) as Record<string, unknown>[];
  t.is(line!.proxy, 'productpage-v1-x.default');
  t.is(line!.cluster_sent, line!.cluster_acked);
});

test('an endpoint change sends only the endpoints that changed', async (t) => {
  const served = await serve(t);
  const proxy = new TestProxy(t, served.port);
  proxy.connect();
  await proxy.until(() => proxy.log.length >= 4);
  await until(() => isSynced(served));
  served.mesh.pod('reviews-v1-y', '127.65.2.9', { app: 'reviews', version: 'v1' });
  served.discovery.changed();
  await proxy.until(() => proxy.log.length >= 5);
  await until(() => isSynced(served));
  t.deepEqual(proxy.log.slice(4), ['endpoint']);
  t.deepEqual(proxy.names.get('endpoint'), [reviews]);
});

test('a refusal is recorded and not repeated; the next change is tried', async (t) => {
  const served = await serve(t);
  const proxy = new TestProxy(t, served.port);
  proxy.refuse = (kind) => (kind === 'route' ? 'no such filter' : undefined);
  proxy.connect();
  await proxy.until(() => proxy.log.includes('route'));
  const route = () => [...served.discovery.connections][0]!.status().find(({ kind }) => kind === 'route');
  await until(() => route()?.rejected !== undefined);
  t.is(route()?.rejected?.message, 'no such filter');
  t.regex(JSON.stringify(syncStatus(served.discovery.connections)), /no such filter/);
  proxy.refuse = undefined;
  served.mesh.apply(`
kind: VirtualService
metadata: { name: reviews }
spec: { hosts: [reviews], http: [{ route: [{ destination: { host: ratings } }] }] }
`);
  served.discovery.changed();
  await until(() => route()?.accepted !== undefined);
  t.is(route()?.rejected, undefined);
});

test('subsets and the rule that uses them arrive together: clusters, endpoints, then the route', async (t) => {
  const served = await serve(t);
  const proxy = new TestProxy(t, served.port);
  proxy.connect();
  await proxy.until(() => proxy.log.length >= 4);
  await until(() => isSynced(served));
  served.mesh.apply(bookinfoSubsets).apply(`
kind: VirtualService
metadata: { name: reviews }
spec: { hosts: [reviews], http: [{ route: [{ destination: { host: reviews, subset: v2 } }] }] }
`);
  served.discovery.changed();
  await proxy.until(() => proxy.log.length >= 7);
  t.deepEqual(proxy.log.slice(4), ['cluster', 'endpoint', 'route']);
});

test('a proxy that comes back resumes with its names and versions', async (t) => {
  const served = await serve(t);
  const first = new TestProxy(t, served.port);
  first.connect();
  await first.until(() => first.log.length >= 4);
  first.close();
  first.state.closed();
  await until(() => served.discovery.connections.size === 0);
  const second = new TestProxy(t, served.port, first.state);
  second.connect();
  await second.until(() => second.log.length >= 4);
  t.deepEqual([...new Set(second.log)].sort(), ['cluster', 'endpoint', 'listener', 'route']);
  await until(() => isSynced(served));
});

test('config_dump shows what was sent, with everything expanded', async (t) => {
  const served = await serve(t);
  const proxy = new TestProxy(t, served.port);
  proxy.connect();
  await proxy.until(() => proxy.log.length >= 4);
  const text = JSON.stringify(configDump([...served.discovery.connections][0]!));
  for (const part of ['ClustersConfigDump', 'HttpConnectionManager', 'envoy.filters.http.router', '127.65.1.5']) {
    t.true(text.includes(part), part);
  }
  t.false(text.includes('"value":"'), 'no Any is left unexpanded');
});

function codeOf(
  t: ExecutionContext,
  port: number,
  definition: { path: string },
  request: DiscoveryRequest,
): Promise<number> {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  t.teardown(() => client.close());
  const { requestSerialize, responseDeserialize } = adsService.StreamAggregatedResources;
  const stream = client.makeBidiStreamRequest(definition.path, requestSerialize, responseDeserialize);
  return new Promise((resolve) => {
    stream.on('error', (error: { code?: number }) => resolve(error.code ?? -1));
    stream.on('data', () => undefined);
    stream.write(request);
  });
}

test('a node that does not say who it is is turned away; delta is refused by name', async (t) => {
  const { port } = await serve(t);
  const nobody = { type_url: typeUrls.cluster, node: { id: 'me' } };
  t.is(await codeOf(t, port, adsService.StreamAggregatedResources, nobody), status.INVALID_ARGUMENT);
  t.is(await codeOf(t, port, adsService.DeltaAggregatedResources, nobody), status.UNIMPLEMENTED);
});

test('a first change is pushed within 10 ms, many changes are pushed together', async (t) => {
  const mesh = bookinfo();
  const clock = new ManualClock();
  const metrics = pilotMetrics();
  const discovery = new Discovery({ snapshot: () => mesh.snapshot, clock, logger: silentLogger, metrics });
  let responses = 0;
  const connection = discovery.open(() => responses++);
  discovery.receive(connection, { type_url: typeUrls.endpoint, node, resource_names: [reviews] });
  const acknowledge = (): void => {
    const nonce = connection.status()[0]!.sent!.nonce;
    discovery.receive(connection, {
      type_url: typeUrls.endpoint,
      resource_names: [reviews],
      response_nonce: nonce,
      version_info: '1',
    });
  };
  acknowledge();
  responses = 0;
  clock.advance(1000);
  mesh.pod('reviews-a', '127.65.3.1', { app: 'reviews' });
  discovery.changed();
  clock.advance(10);
  t.is(responses, 1);
  acknowledge();
  await new Promise((resolve) => setImmediate(resolve));
  for (let i = 0; i < 50; i++) {
    mesh.pod(`reviews-b${i}`, `127.65.3.${i + 2}`, { app: 'reviews' });
    discovery.changed();
    clock.advance(2);
    await new Promise((resolve) => setImmediate(resolve));
    if (responses > 1) acknowledge();
  }
  clock.advance(200);
  t.true(responses < 8, `${responses} pushes for 50 changes`);
  t.is(resourceKind(typeUrls.endpoint), 'endpoint');
});
