import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { configMaps, type core, type KubeObject, nodes, pods, StatusError } from '@flotilla/api';
import { silentLogger } from '@flotilla/base';
import { systemClock } from '@flotilla/host';
import test, { type ExecutionContext } from 'ava';
import {
  type ApiRequest,
  type ApiResponse,
  Client,
  pathOf,
  retrying,
  type Transport,
  TransportError,
} from './index.js';
import { httpsTransport } from './https.js';
import { jsonLines } from './json-lines.js';

/** Answers with what the test says, and remembers what was asked. */
class Scripted implements Transport {
  readonly asked: ApiRequest[] = [];
  answer: (r: ApiRequest) => ApiResponse = () => json(200, {});
  lines: unknown[] = [];

  async request(request: ApiRequest): Promise<ApiResponse> {
    this.asked.push(request);
    return this.answer(request);
  }
  async stream(request: ApiRequest): Promise<AsyncIterable<Uint8Array>> {
    this.asked.push(request);
    const text = this.lines.map((line) => `${JSON.stringify(line)}\n`).join('');
    return chunked(text, 7);
  }
  async close(): Promise<void> {}
}

const json = (status: number, body: object): ApiResponse => ({
  status,
  contentType: 'application/json',
  body: Buffer.from(JSON.stringify(body)),
});

async function* chunked(text: string, size: number): AsyncIterable<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const setUp = () => {
  const transport = new Scripted();
  return { transport, client: new Client(transport, { logger: silentLogger }) };
};

test('paths', (t) => {
  t.is(pathOf(pods, { namespace: 'a b', name: 'x/y', sub: 'log' }), '/api/v1/namespaces/a%20b/pods/x%2Fy/log');
  t.is(pathOf(nodes, { namespace: 'ignored', name: 'n' }), '/api/v1/nodes/n');
  t.is(pathOf(pods, {}), '/api/v1/pods');
});

test('verbs become requests', async (t) => {
  const { transport, client } = setUp();
  const maps = client.resource(configMaps);
  const object: core.ConfigMap = { metadata: { name: 'a', namespace: 'ns' }, data: { k: 'v' } };
  await maps.get('a', 'ns');
  await maps.create(object);
  await maps.update(object);
  await maps.updateStatus(object);
  await maps.updateSub(object, 'finalize');
  await maps.patch({ name: 'a', namespace: 'ns' }, { data: null });
  await maps.patch({ name: 'a', namespace: 'ns' }, [], { type: 'json', subresource: 'status' });
  await maps.delete({ name: 'a', namespace: 'ns' }, { gracePeriodSeconds: 0, uid: 'u', propagationPolicy: 'Orphan' });
  await client.resource(pods).createSub({ name: 'p', namespace: 'ns' }, 'binding', { target: { name: 'n' } });
  const base = '/api/v1/namespaces/ns/configmaps';
  t.deepEqual(
    transport.asked.map((r) => [r.method, r.path, r.contentType]),
    [
      ['GET', `${base}/a`, undefined],
      ['POST', base, 'application/json'],
      ['PUT', `${base}/a`, 'application/json'],
      ['PUT', `${base}/a/status`, 'application/json'],
      ['PUT', `${base}/a/finalize`, 'application/json'],
      ['PATCH', `${base}/a`, 'application/merge-patch+json'],
      ['PATCH', `${base}/a/status`, 'application/json-patch+json'],
      ['DELETE', `${base}/a`, 'application/json'],
      ['POST', '/api/v1/namespaces/ns/pods/p/binding', 'application/json'],
    ],
  );
  const bodies = transport.asked.map((r) =>
    r.body ? (JSON.parse(Buffer.from(r.body).toString()) as unknown) : undefined,
  );
  t.deepEqual(bodies[1], { ...object, apiVersion: 'v1', kind: 'ConfigMap' });
  t.deepEqual(bodies[4], { ...object, apiVersion: 'v1', kind: 'ConfigMap' });
  t.deepEqual(bodies[7], {
    apiVersion: 'v1',
    kind: 'DeleteOptions',
    gracePeriodSeconds: 0,
    propagationPolicy: 'Orphan',
    preconditions: { uid: 'u' },
  });
});

test('a list has its revision, its next page, and typed items', async (t) => {
  const { transport, client } = setUp();
  transport.answer = () =>
    json(200, {
      kind: 'ConfigMapList',
      metadata: { resourceVersion: '7', continue: 'c' },
      items: [{ metadata: { name: 'a' } }],
    });
  const list = await client
    .resource(configMaps)
    .list({ namespace: 'ns', labelSelector: 'a=b', limit: 1, continue: 'x' });
  t.deepEqual(transport.asked[0]?.query, { labelSelector: 'a=b', limit: '1', continue: 'x' });
  t.is(list.resourceVersion, '7');
  t.is(list.continue, 'c');
  t.like(list.items[0], { apiVersion: 'v1', kind: 'ConfigMap' });
});

test('failures are StatusErrors, with or without a Status object', async (t) => {
  const { transport, client } = setUp();
  const maps = client.resource(configMaps);
  transport.answer = () => json(409, { kind: 'Status', code: 409, reason: 'Conflict', message: 'no', metadata: {} });
  t.is(
    (await t.throwsAsync<StatusError>(maps.get('a'), { instanceOf: StatusError, message: 'no' })).status.reason,
    'Conflict',
  );
  transport.answer = () => ({ status: 503, contentType: 'text/plain', body: Buffer.from('down\n') });
  const plain = await t.throwsAsync<StatusError>(maps.get('a'), { instanceOf: StatusError, message: 'down' });
  t.is(plain.status.reason, 'ServiceUnavailable');
  transport.answer = () => ({ status: 200, contentType: 'text/plain', body: Buffer.from('<html>') });
  await t.throwsAsync(maps.get('a'), { instanceOf: TransportError, code: 'protocol' });
});

test('a watch yields events, whatever the chunks, and throws an ERROR event', async (t) => {
  const { transport, client } = setUp();
  const object = { metadata: { name: 'ä', resourceVersion: '3' } };
  const status = { kind: 'Status', metadata: {}, code: 410, reason: 'Expired', message: 'too old' };
  transport.lines = [
    { type: 'ADDED', object },
    { type: 'BOOKMARK', object },
    { type: 'ERROR', object: status },
  ];
  const seen: { type: string; object: KubeObject }[] = [];
  const options = { namespace: 'ns', resourceVersion: '2', allowBookmarks: true };
  const all = async (): Promise<void> => {
    for await (const event of client.resource(configMaps).watch(options, new AbortController().signal))
      seen.push(event);
  };
  const error = await t.throwsAsync<StatusError>(all(), { instanceOf: StatusError });
  t.is(error.status.code, 410);
  t.deepEqual(seen, [
    { type: 'ADDED', object },
    { type: 'BOOKMARK', object },
  ]);
  t.deepEqual(transport.asked[0]?.query, { watch: 'true', resourceVersion: '2', allowWatchBookmarks: 'true' });
});

test('JSON lines: empty ones are skipped, a last one without an end counts', async (t) => {
  const values: unknown[] = [];
  for await (const value of jsonLines(chunked('{"a":1}\n\n2\n"ü"', 3))) values.push(value);
  t.deepEqual(values, [{ a: 1 }, 2, 'ü']);
});

test('retrying goes on while it may help', async (t) => {
  const failing = (error: Error, times: number) => {
    let calls = 0;
    return () => (calls++ < times ? Promise.reject(error) : Promise.resolve(calls));
  };
  const options = { clock: systemClock, deadlineMs: 1000 };
  t.is(await retrying(failing(new TransportError('unavailable', 'x'), 2), options), 3);
  const conflict = new StatusError({ metadata: {}, code: 409, reason: 'Conflict' });
  await t.throwsAsync(retrying(failing(conflict, 1), options), { is: conflict });
  const lost = new TransportError('disconnected', 'x');
  await t.throwsAsync(retrying(failing(lost, 99), { ...options, deadlineMs: 100 }), { is: lost });
});

async function listen(t: ExecutionContext, server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('HTTP: requests, watches, cancelling, a server that is gone', async (t) => {
  let closed = 0;
  const server = createServer((request, response) => {
    if (request.url?.includes('watch=true')) {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.write(`${JSON.stringify({ type: 'ADDED', object: { metadata: { name: 'a' } } })}\n`);
      response.once('close', () => closed++);
      return;
    }
    const parts: Buffer[] = [];
    request.on('data', (chunk: Buffer) => parts.push(chunk));
    request.on('end', () => {
      const { method, url, headers } = request;
      const sent = Buffer.concat(parts).toString();
      response.writeHead(method === 'DELETE' ? 404 : 200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ method, url, auth: headers.authorization, sent, metadata: {} }));
    });
  });
  const transport = httpsTransport({ server: await listen(t, server), token: 'tok' });
  const maps = new Client(transport, { logger: silentLogger }).resource(configMaps);
  const got: unknown = await maps.get('a', 'ns');
  t.like(got, { method: 'GET', url: '/api/v1/namespaces/ns/configmaps/a', auth: 'Bearer tok', sent: '' });
  await t.throwsAsync(maps.delete({ name: 'a', namespace: 'ns' }), { instanceOf: StatusError });
  for await (const event of maps.watch({ namespace: 'ns' }, new AbortController().signal)) {
    t.is(event.object.metadata.name, 'a');
    break;
  }
  const cancel = new AbortController();
  const watch = maps.watch({ namespace: 'ns' }, cancel.signal)[Symbol.asyncIterator]();
  await watch.next();
  const next = watch.next();
  cancel.abort(new Error('enough'));
  await t.throwsAsync(next, { message: 'enough' });
  const lost = maps.watch({ namespace: 'ns' }, new AbortController().signal)[Symbol.asyncIterator]();
  await lost.next();
  const failing = lost.next();
  server.closeAllConnections();
  server.close();
  await t.throwsAsync(failing, { instanceOf: TransportError, code: 'disconnected' });
  await t.throwsAsync(maps.get('a'), { instanceOf: TransportError, code: 'unavailable' });
  t.is(closed, 3);
  await transport.close();
});
