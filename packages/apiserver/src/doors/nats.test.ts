import {
  configMaps,
  type core,
  decodeJson,
  deployments,
  namespaces,
  nodes,
  pods,
  type StatusError,
} from '@flotilla/api';
import { silentLogger } from '@flotilla/base';
import { Client, connectNats, natsTransport, serveStreams } from '@flotilla/client';
import { systemClock, systemRandom } from '@flotilla/host';
import { MemoryStore } from '@flotilla/store';
import { startNats } from '@flotilla/testkit';
import test, { type ExecutionContext } from 'ava';
import { startApiServer } from '../server.js';
import { objectCodec } from '../storage.js';

const logger = silentLogger;

async function world(t: ExecutionContext) {
  const nats = await startNats({ users: ['apiserver', 'controllers', 'node-1'].map((user) => ({ user })) });
  t.teardown(() => nats.close());
  const nc = await connectNats(nats.access('apiserver'), { logger });
  const api = await startApiServer({
    store: new MemoryStore(objectCodec),
    profile: 'fast',
    serviceCIDR: '10.0.0.0/16',
    mesh: { clusterDomain: 'cluster.local', proxyVersion: '1', discoveryAddress: 'x:1' },
    nats: nc,
    clock: systemClock,
    random: systemRandom,
    logger,
  });
  t.teardown(async () => {
    await api.stop();
    await nc.close();
  });
  const connect = async (user: string) => {
    const own = await connectNats(nats.access(user), { logger });
    t.teardown(() => own.close());
    return { nc: own, client: new Client(natsTransport(own, user), { logger }) };
  };
  const controllers = await connect('controllers');
  await controllers.client.resource(namespaces).create({ metadata: { name: 'default' }, spec: {}, status: {} });
  return { api, connect, client: controllers.client };
}

test('requests and watches over NATS', async (t) => {
  const { client } = await world(t);
  const maps = client.resource(configMaps);
  const leave = new AbortController();
  const events = maps.watch({ namespace: 'default', resourceVersion: '0' }, leave.signal)[Symbol.asyncIterator]();
  const made = await maps.create({ metadata: { name: 'a', namespace: 'default' }, data: { x: '1' } });
  const first = await events.next();
  t.like(first.value, { type: 'ADDED', object: { metadata: { name: 'a' } } });
  await maps.patch({ name: 'a', namespace: 'default' }, { data: { x: '2' } });
  t.like((await events.next()).value, { type: 'MODIFIED', object: { data: { x: '2' } } });
  const stale = await t.throwsAsync<StatusError>(maps.update({ ...made, data: { x: '3' } }));
  t.is(stale?.reason, 'Conflict');
  await maps.delete({ name: 'a', namespace: 'default' });
  t.like((await events.next()).value, { type: 'DELETED', object: { data: { x: '2' } } });
  leave.abort();
});

test('the identity token is the user', async (t) => {
  const { connect } = await world(t);
  const { client } = await connect('node-1');
  // A node with the zero values that its type demands.
  const node = decodeJson<core.Node>(nodes.schema, { metadata: { name: 'node-1' } }).value;
  const mine = await client.resource(nodes).create(node);
  t.is(mine.metadata.name, 'node-1');
  const denied = await t.throwsAsync<StatusError>(client.resource(deployments).list());
  t.regex(denied?.message ?? '', /User "system:node:node-1" cannot list resource "deployments"/);
});

test('logs come from the agent of the pod’s node', async (t) => {
  const { api, connect, client } = await world(t);
  const node = await connect('node-1');
  const asked: unknown[] = [];
  serveStreams(
    node.nc,
    'node.node-1.logs',
    async (request, sink) => {
      const body = JSON.parse(Buffer.from(request.body).toString()) as { container: string };
      asked.push(body);
      if (body.container === 'b') {
        sink.start(400, { 'Content-Type': 'text/plain' });
        await sink.write(Buffer.from('container "b" in pod "a" is waiting to start: ContainerCreating'));
      } else {
        sink.start(200, { 'Content-Type': 'text/plain' });
        await sink.write(Buffer.from('one\ntwo\n'));
      }
      sink.end();
    },
    { logger },
  );
  await node.nc.flush();
  await client.resource(pods).create({
    metadata: { name: 'a', namespace: 'default' },
    spec: {
      nodeName: 'node-1',
      containers: [
        { name: 'a', image: 'i', resources: {} },
        { name: 'b', image: 'i', resources: {} },
      ],
    },
    status: {},
  });
  const path = '/api/v1/namespaces/default/pods/a/log';
  const get = async (query: Record<string, string>) => {
    const response = await api.request({ method: 'GET', path, query: new URLSearchParams(query) });
    const pieces: Uint8Array[] = [];
    if (typeof response.body === 'function') {
      await response.body({ write: (f) => Promise.resolve(void pieces.push(f)) }, new AbortController().signal);
    } else pieces.push(...response.body);
    return { status: response.status, text: Buffer.concat(pieces).toString() };
  };
  t.deepEqual(await get({ container: 'a', tailLines: '2' }), { status: 200, text: 'one\ntwo\n' });
  t.like(asked[0], { namespace: 'default', pod: 'a', container: 'a', options: { tailLines: 2 } });
  const waiting = await get({ container: 'b' });
  t.is(waiting.status, 400);
  t.regex(waiting.text, /is waiting to start: ContainerCreating/);
  const several = await get({});
  t.regex(several.text, /a container name must be specified for pod a, choose one of: \[a b\]/);
  t.is((await get({ container: 'x' })).status, 400);
  t.is((await get({ container: 'a', tailLines: '-1' })).status, 422);
});
