import test from 'ava';
import * as fc from 'fast-check';
import type { ClusterLoadAssignment, DiscoveryRequest, DiscoveryResponse, RouteConfiguration } from '../gen/types.js';
import { encodeResource, type ResourceKind, type Resources, typeUrls } from '../resources.js';
import { decode } from '../codec/index.js';
import { AdsClientState } from './client.js';
import { encodeResponse } from './response.js';
import { AdsServerStream, type Push } from './server.js';
import type { EncodedResource, ResourceView } from './watch.js';

function encoded<K extends ResourceKind>(kind: K, name: string, resource: Resources[K]): EncodedResource {
  const body = encodeResource(kind, resource);
  return { name, version: Buffer.from(body.value!).toString('base64'), body };
}

const assignment = (name: string, port = 1): ClusterLoadAssignment => ({
  cluster_name: name,
  endpoints: [
    { lb_endpoints: [{ endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: port } } } }] },
  ],
});

interface World {
  /** Cluster → port of its endpoint. */
  clusters: Record<string, number>;
  /** The cluster that route `r` leads to. */
  target: string;
}

let views = 0;

function viewOf(world: World): ResourceView {
  const names = Object.keys(world.clusters);
  const route: RouteConfiguration = {
    name: 'r',
    virtual_hosts: [
      { name: 'h', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: world.target } }] },
    ],
  };
  const kinds: Record<ResourceKind, Map<string, EncodedResource>> = {
    cluster: new Map(names.map((name) => [name, encoded('cluster', name, { name })])),
    endpoint: new Map(names.map((name) => [name, encoded('endpoint', name, assignment(name, world.clusters[name]))])),
    listener: new Map([['l', encoded('listener', 'l', { name: 'l' })]]),
    route: new Map([['r', encoded('route', 'r', route)]]),
    secret: new Map(),
  };
  return {
    version: `v${++views}`,
    token: (kind) => kinds[kind],
    all: (kind) => kinds[kind],
    // As pilot does: a cluster that is gone has no addresses.
    find: (kind, name) =>
      kinds[kind].get(name) ?? (kind === 'endpoint' ? encoded(kind, name, { cluster_name: name }) : undefined),
  };
}

const response = (push: Push): DiscoveryResponse => ({
  type_url: push.typeUrl,
  version_info: push.version,
  nonce: push.nonce,
  resources: push.resources.map(({ body }) => body),
});

const kindsOf = (pushes: readonly Push[]): string[] => pushes.map(({ kind }) => kind);

/** A client that does as Envoy does: asks for the endpoints of its clusters and the routes of its listeners. */
class Client {
  readonly state = new AdsClientState({ id: 'sidecar~127.0.0.1~a.default~default.svc.cluster.local' });
  readonly clusters = new Set<string>();
  readonly endpoints = new Map<string, number>();
  target: string | undefined;

  open(): DiscoveryRequest[] {
    for (const kind of ['cluster', 'listener'] as const) this.state.subscribe(kind);
    return this.state.opened();
  }

  take(received: DiscoveryResponse): DiscoveryRequest[] {
    const update = this.state.receive(received);
    if (update.is !== 'update') return update.is === 'refused' ? [update.request] : [];
    const requests: (DiscoveryRequest | undefined)[] = [this.state.accept(update)];
    if (update.kind === 'cluster') {
      this.clusters.clear();
      for (const name of update.resources.keys()) this.clusters.add(name);
      for (const name of this.endpoints.keys()) if (!this.clusters.has(name)) this.endpoints.delete(name);
      requests.push(this.state.subscribe('endpoint', update.resources.keys()));
    } else if (update.kind === 'endpoint') {
      for (const [name, { endpoints }] of update.resources) {
        const address = endpoints?.[0]?.lb_endpoints?.[0]?.endpoint?.address?.socket_address;
        if (this.clusters.has(name)) this.endpoints.set(name, address?.port_value ?? 0);
      }
    } else if (update.kind === 'listener') {
      requests.push(this.state.subscribe('route', ['r']));
    } else if (update.kind === 'route') {
      this.target = update.resources.get('r')?.virtual_hosts?.[0]?.routes?.[0]?.route?.cluster;
    }
    return requests.filter((request) => request !== undefined);
  }
}

/** Runs both ends until neither has anything to say. */
function settle(client: Client, server: AdsServerStream, view: ResourceView, requests: DiscoveryRequest[]): Push[] {
  const all: Push[] = [];
  const waiting = [...requests];
  for (let rounds = 0; rounds < 1000; rounds++) {
    for (const request of waiting.splice(0)) server.receive(request);
    const { pushes } = server.plan(view, 0);
    if (pushes.length === 0 && waiting.length === 0) return all;
    for (const push of pushes) {
      all.push(push);
      waiting.push(...client.take(response(push)));
    }
  }
  throw new Error('the two never settle');
}

test('a first connection gets clusters, endpoints, listeners and routes in that order', (t) => {
  const client = new Client();
  const server = new AdsServerStream();
  const pushes = settle(client, server, viewOf({ clusters: { a: 1, b: 2 }, target: 'a' }), client.open());
  t.deepEqual(kindsOf(pushes), ['cluster', 'endpoint', 'listener', 'route']);
  t.true(server.status().every(({ synced }) => synced));
});

test('a response of shared bytes is the response that was meant', (t) => {
  const server = new AdsServerStream();
  server.receive({ type_url: typeUrls.cluster });
  const [push] = server.plan(viewOf({ clusters: { a: 1, ['b'.repeat(300)]: 2 }, target: 'a' }), 0).pushes;
  t.deepEqual(decode('envoy.service.discovery.v3.DiscoveryResponse', encodeResponse(push!)), response(push!));
});

test('only the first request of a stream carries the node', (t) => {
  const client = new Client();
  t.deepEqual(
    client.open().map(({ node }) => node !== undefined),
    [true, false],
  );
});

test('an endpoint change sends only endpoints, and only those that changed', (t) => {
  const client = new Client();
  const server = new AdsServerStream();
  settle(client, server, viewOf({ clusters: { a: 1, b: 2 }, target: 'a' }), client.open());
  const pushes = settle(client, server, viewOf({ clusters: { a: 1, b: 3 }, target: 'a' }), []);
  t.deepEqual(kindsOf(pushes), ['endpoint']);
  t.deepEqual(
    pushes[0]!.resources.map(({ name }) => name),
    ['b'],
  );
  t.is(client.endpoints.get('b'), 3);
});

test('a replaced cluster is made, then used, then broken', (t) => {
  const client = new Client();
  const server = new AdsServerStream();
  settle(client, server, viewOf({ clusters: { a: 1 }, target: 'a' }), client.open());
  const pushes = settle(client, server, viewOf({ clusters: { b: 2 }, target: 'b' }), []);
  t.deepEqual(kindsOf(pushes), ['cluster', 'endpoint', 'route', 'cluster']);
  t.deepEqual(pushes[0]!.resources.map(({ name }) => name).sort(), ['a', 'b']);
  t.deepEqual([...client.clusters], ['b']);
});

test('a refused response is recorded, and sent again only when something of it has changed', (t) => {
  const client = new Client();
  const server = new AdsServerStream();
  const world = { clusters: { a: 1, b: 2 }, target: 'a' };
  settle(client, server, viewOf(world), client.open());
  const second = viewOf({ ...world, target: 'b' });
  const [push] = server.plan(second, 0).pushes;
  client.state.receive(response(push!));
  const receipt = server.receive(client.state.reject('route', 'no such filter'));
  t.deepEqual(receipt, { is: 'nack', kind: 'route', version: push!.version, message: 'no such filter' });
  t.is(server.status().find(({ kind }) => kind === 'route')?.rejected?.message, 'no such filter');
  t.deepEqual(server.plan(second, 0).pushes, []);
  t.deepEqual(server.plan(viewOf({ ...world, target: 'b' }), 0).pushes, [], 'the same again in a newer view');
  t.deepEqual(kindsOf(settle(client, server, viewOf(world), [])), ['route']);
  t.is(server.status().find(({ kind }) => kind === 'route')?.rejected, undefined);
});

test('what was refused together with something bad comes again with the next change', (t) => {
  const client = new Client();
  const server = new AdsServerStream();
  settle(client, server, viewOf({ clusters: { a: 1, b: 2 }, target: 'a' }), client.open());
  const [push] = server.plan(viewOf({ clusters: { a: 10, b: 20 }, target: 'a' }), 0).pushes;
  client.state.receive(response(push!));
  server.receive(client.state.reject('endpoint', 'bad b'));
  const pushes = settle(client, server, viewOf({ clusters: { a: 10, b: 21 }, target: 'a' }), []);
  t.deepEqual(
    pushes[0]!.resources.map(({ name }) => name),
    ['a', 'b'],
  );
  t.deepEqual(
    [...client.endpoints],
    [
      ['a', 10],
      ['b', 21],
    ],
  );
});

test('a stale nonce is ignored, also with an error', (t) => {
  const server = new AdsServerStream();
  server.receive({ type_url: typeUrls.cluster });
  server.plan(viewOf({ clusters: { a: 1 }, target: 'a' }), 0);
  t.is(server.receive({ type_url: typeUrls.cluster, response_nonce: 'x', error_detail: { code: 3 } }).is, 'stale');
  t.is(server.status()[0]?.rejected, undefined);
});

test('wildcard: an empty first request asks for everything, a later empty one for nothing', (t) => {
  const view = viewOf({ clusters: { a: 1, b: 2 }, target: 'a' });
  const server = new AdsServerStream();
  server.receive({ type_url: typeUrls.cluster, resource_names: ['a'] });
  const [first] = server.plan(view, 0).pushes;
  t.deepEqual(
    first?.resources.map(({ name }) => name),
    ['a'],
  );
  server.receive({ type_url: typeUrls.cluster, response_nonce: first!.nonce, resource_names: ['*', 'a'] });
  const [second] = server.plan(view, 0).pushes;
  t.is(second?.resources.length, 2);
  server.receive({ type_url: typeUrls.cluster, response_nonce: second!.nonce });
  const after = viewOf({ clusters: { c: 1 }, target: 'c' });
  t.deepEqual(server.plan(after, 0).pushes[0]?.resources ?? [], []);
});

test('listeners wait for the endpoints of new clusters, but not for ever', (t) => {
  const server = new AdsServerStream();
  const view = viewOf({ clusters: { a: 1 }, target: 'a' });
  server.receive({ type_url: typeUrls.cluster });
  server.receive({ type_url: typeUrls.listener });
  const first = server.plan(view, 0);
  t.deepEqual(kindsOf(first.pushes), ['cluster']);
  t.is(first.wakeAt, 1000);
  t.deepEqual(kindsOf(server.plan(view, 999).pushes), []);
  t.deepEqual(kindsOf(server.plan(view, 1000).pushes), ['listener']);
});

test('a client that follows no clusters, as gRPC at first, gets its listener at once', (t) => {
  const server = new AdsServerStream();
  server.receive({ type_url: typeUrls.listener, resource_names: ['l'] });
  t.deepEqual(kindsOf(server.plan(viewOf({ clusters: { a: 1 }, target: 'a' }), 0).pushes), ['listener']);
});

test('a name asked for again is answered though nothing changed', (t) => {
  const server = new AdsServerStream();
  const view = viewOf({ clusters: { a: 1, b: 1 }, target: 'a' });
  let nonce = '';
  const ask = (names: string[]): string[] => {
    server.receive({ type_url: typeUrls.endpoint, resource_names: names, response_nonce: nonce });
    const [push] = server.plan(view, 0).pushes;
    nonce = push?.nonce ?? nonce;
    return push?.resources.map(({ name }) => name) ?? [];
  };
  t.deepEqual(ask(['a']), ['a']);
  t.deepEqual(ask(['a', 'b']), ['b']);
  t.deepEqual(ask(['b']), []);
  t.deepEqual(ask(['a', 'b']), ['a']);
});

test('two resources of one name are refused by the client', (t) => {
  const client = new Client();
  client.open();
  const twice = [encodeResource('cluster', { name: 'a' }), encodeResource('cluster', { name: 'a' })];
  const received = client.state.receive({
    type_url: typeUrls.cluster,
    nonce: 'n',
    version_info: '1',
    resources: twice,
  });
  t.is(received.is, 'refused');
  if (received.is !== 'refused') return;
  t.is(received.request.error_detail?.message, 'two resources are called a');
  t.is(received.request.response_nonce, 'n');
  t.is(received.request.version_info, undefined);
});

test('a new stream resumes: accepted versions and names, no old nonce', (t) => {
  const client = new Client();
  const view = viewOf({ clusters: { a: 1 }, target: 'a' });
  settle(client, new AdsServerStream(), view, client.open());
  client.state.closed();
  t.is(client.state.subscribe('route', ['r', 's']), undefined, 'nothing to write to');
  const requests = client.state.opened();
  t.deepEqual(
    requests.map(({ type_url, resource_names = [], response_nonce = '', version_info }) => [
      type_url,
      resource_names,
      response_nonce,
      version_info,
    ]),
    [
      [typeUrls.cluster, [], '', view.version],
      [typeUrls.endpoint, ['a'], '', view.version],
      [typeUrls.listener, [], '', view.version],
      [typeUrls.route, ['r', 's'], '', view.version],
    ],
  );
});

test('whatever the order of changes and messages, no route leads to a cluster without endpoints', (t) => {
  const clusterNames = ['a', 'b', 'c', 'd'];
  const world = fc
    .record({
      some: fc.subarray(clusterNames, { minLength: 1 }),
      pick: fc.nat(),
      ports: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 4, maxLength: 4 }),
    })
    .map(
      ({ some, pick, ports }): World => ({
        clusters: Object.fromEntries(some.map((name, i) => [name, ports[i]!])),
        target: some[pick % some.length]!,
      }),
    );
  // 0: the world changes; 1: the server takes a request; 2: the client takes a response.
  const steps = fc.array(fc.record({ what: fc.constantFrom(0, 1, 1, 2, 2), world }), {
    minLength: 5,
    maxLength: 60,
    size: 'max',
  });
  fc.assert(
    fc.property(world, steps, (first, all) => {
      const client = new Client();
      const server = new AdsServerStream();
      let view = viewOf(first);
      let last = first;
      const up: DiscoveryRequest[] = client.open();
      const down: DiscoveryResponse[] = [];
      const plan = (): void => void down.push(...server.plan(view, 0).pushes.map(response));
      const check = (): void => {
        if (client.target !== undefined) {
          if (!client.clusters.has(client.target)) throw new Error(`cluster ${client.target} is gone`);
          if (!client.endpoints.get(client.target)) throw new Error(`cluster ${client.target} has no endpoints`);
        }
      };
      const step = (what: number): void => {
        if (what === 1 && up.length > 0) server.receive(up.shift()!);
        if (what === 2 && down.length > 0) up.push(...client.take(down.shift()!));
        plan();
        check();
      };
      const drain = (): void => {
        for (let i = 0; i < 500 && (up.length > 0 || down.length > 0); i++) step(up.length > 0 ? 1 : 2);
      };
      drain();
      for (const { what, world: next } of all) {
        if (what === 0) view = viewOf((last = next));
        step(what);
      }
      drain();
      t.deepEqual([...client.clusters].sort(), Object.keys(last.clusters).sort());
      t.is(client.target, last.target);
      t.deepEqual(Object.fromEntries(client.endpoints), last.clusters);
    }),
    { numRuns: 300 },
  );
});
