import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { ManualClock, seededRandom, silentLogger } from '@flotilla/base';
import { systemClock } from '@flotilla/host';
import test, { type ExecutionContext } from 'ava';
import { ClientAffinity } from './affinity.js';
import { ServiceListeners } from './listeners.js';
import { type ServiceEndpoint, type ServiceView, usableEndpoints } from './model.js';
import { type Backend, wantedListeners, type WantedListener } from './wanted.js';

const endpoint = (ip: string, more: Partial<ServiceEndpoint> = {}): ServiceEndpoint => ({
  ip,
  ready: true,
  serving: true,
  terminating: false,
  ports: { http: 8080 },
  ...more,
});

const service: ServiceView = {
  namespace: 'default',
  name: 'web',
  clusterIP: '127.254.0.10',
  publishNotReadyAddresses: false,
  ports: [{ name: 'http', protocol: 'TCP', port: 80, nodePort: 30080, hostPort: 8080 }],
  endpoints: [endpoint('127.126.1.2'), endpoint('127.126.1.3', { ready: false, serving: false })],
};

test('ready endpoints serve; those that end do only when no other is left', (t) => {
  const ready = endpoint('1.1.1.1');
  const ending = endpoint('1.1.1.2', { ready: false, terminating: true });
  const unready = endpoint('1.1.1.3', { ready: false, serving: false });
  t.deepEqual(usableEndpoints([ready, ending, unready]), [ready]);
  t.deepEqual(usableEndpoints([ending, unready]), [ending]);
  t.deepEqual(usableEndpoints([unready]), []);
});

test('a service wants its cluster IP, node port and host port', (t) => {
  const wanted = wantedListeners([service], { hostAddress: '127.0.0.1', nodeIP: '127.126.1.1' });
  t.deepEqual([...wanted.keys()], ['127.254.0.10:80', '127.0.0.1:8080', '127.0.0.1:30080', '127.126.1.1:30080']);
  t.deepEqual(wanted.get('127.254.0.10:80')!.backends, [{ ip: '127.126.1.2', port: 8080 }]);
  const udp = { ...service, ports: [{ name: 'http', protocol: 'UDP', port: 80 }] };
  t.is(wantedListeners([udp], { hostAddress: '127.0.0.1', nodeIP: '127.126.1.1' }).size, 0);
});

test('a client stays with its backend until the time or the backend is gone', (t) => {
  const [a, b] = [
    { ip: '1.1.1.1', port: 1 },
    { ip: '1.1.1.2', port: 1 },
  ];
  const affinity = new ClientAffinity();
  affinity.remember('c', a, 100);
  t.is(affinity.lookup('c', [b, a], 99), a);
  t.is(affinity.lookup('c', [b, a], 100), undefined);
  affinity.remember('c', a, 100);
  t.is(affinity.lookup('c', [b], 50), undefined);
});

/** A server that says its name, then echoes. */
async function backend(t: ExecutionContext, name: string): Promise<Backend & { server: Server }> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    socket.write(`${name} ${socket.remoteAddress};`);
    socket.pipe(socket);
  });
  server.listen(0, '127.126.9.9');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as { port: number };
  return { ip: '127.126.9.9', port, server };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.126.9.10');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

function listeners(t: ExecutionContext): ServiceListeners {
  const made = new ServiceListeners({
    clock: systemClock,
    random: seededRandom(1),
    logger: silentLogger,
    retryEvery: 20,
  });
  t.teardown(() => made.stop());
  return made;
}

const wantedOf = (port: number, backends: Backend[], more: Partial<WantedListener> = {}): Map<string, WantedListener> =>
  new Map([[`127.126.9.10:${port}`, { address: '127.126.9.10', port, owner: 'x', backends, shared: true, ...more }]]);

async function held(made: ServiceListeners): Promise<void> {
  for (let i = 0; i < 500 && made.held().length === 0; i++) await new Promise((resolve) => setTimeout(resolve, 5));
}

async function ask(port: number, message = 'hi'): Promise<string> {
  const socket = connect({ port, host: '127.126.9.10', localAddress: '127.126.9.77' });
  socket.end(message);
  return drain(socket);
}

async function drain(socket: Socket): Promise<string> {
  let all = '';
  socket.on('data', (chunk) => (all += chunk.toString()));
  socket.on('error', (error) => (all += `!${(error as NodeJS.ErrnoException).code}`));
  await new Promise((resolve) => socket.once('close', resolve));
  return all;
}

test('relays both ways, keeps half-closed connections and the client’s address', async (t) => {
  const [one, port, made] = [await backend(t, 'one'), await freePort(), listeners(t)];
  made.apply(wantedOf(port, [one]));
  await held(made);
  t.is(await ask(port, 'hello'), 'one 127.126.9.77;hello');
});

test('goes to the next endpoint when one refuses', async (t) => {
  const [one, port, made] = [await backend(t, 'one'), await freePort(), listeners(t)];
  const dead = { ip: '127.126.9.9', port: await freePort() };
  made.apply(wantedOf(port, [dead, one]));
  await held(made);
  for (let i = 0; i < 10; i++) t.is(await ask(port), 'one 127.126.9.77;hi');
});

test('resets a client when nobody serves', async (t) => {
  const [port, made] = [await freePort(), listeners(t)];
  made.apply(wantedOf(port, []));
  await held(made);
  t.is(await ask(port), '!ECONNRESET');
});

test('new endpoints count for new connections and leave the old ones alone', async (t) => {
  const [one, two, port, made] = [await backend(t, 'one'), await backend(t, 'two'), await freePort(), listeners(t)];
  made.apply(wantedOf(port, [one]));
  await held(made);
  const open = connect({ port, host: '127.126.9.10' });
  await once(open, 'data');
  made.apply(wantedOf(port, [two]));
  t.regex(await ask(port), /^two /);
  open.end('still here');
  t.is(await drain(open), 'still here');
  made.apply(new Map());
  t.is(await ask(port), '!ECONNREFUSED');
});

test('a client with affinity stays', async (t) => {
  const [one, two, port, made] = [await backend(t, 'one'), await backend(t, 'two'), await freePort(), listeners(t)];
  made.apply(wantedOf(port, [one, two], { affinitySeconds: 60 }));
  await held(made);
  const first = await ask(port);
  for (let i = 0; i < 8; i++) t.is(await ask(port), first);
});

test('of several one serves the shared addresses, and when it goes another one does at once', async (t) => {
  const [one, port] = [await backend(t, 'one'), await freePort()];
  const lock = { address: '127.126.9.11', port: await freePort() };
  const make = (): ServiceListeners => {
    const made = new ServiceListeners({ clock: systemClock, random: seededRandom(1), logger: silentLogger, lock });
    t.teardown(() => made.stop());
    return made;
  };
  const first = make();
  first.apply(wantedOf(port, [one]));
  await held(first);
  const [second, third] = [make(), make()];
  second.apply(wantedOf(port, [one]));
  const own = { ...wantedOf(port, [one]).get(`127.126.9.10:${port}`)!, address: '127.126.9.12', shared: false };
  third.apply(new Map([...wantedOf(port, [one]), ['own', own]]));
  await held(third);
  t.deepEqual(third.held(), ['own']);
  t.deepEqual(second.held(), []);
  first.stop();
  for (let i = 0; i < 500 && second.held().length + third.held().length < 2; i++)
    await new Promise((go) => setTimeout(go, 2));
  t.is(second.held().length + third.held().length, 2);
  t.is(await ask(port), 'one 127.126.9.77;hi');
});

test('takes an address over as soon as its holder is gone', async (t) => {
  const [one, port, first, second] = [await backend(t, 'one'), await freePort(), listeners(t), listeners(t)];
  first.apply(wantedOf(port, [one]));
  await held(first);
  second.apply(wantedOf(port, [one]));
  await new Promise((resolve) => setTimeout(resolve, 60));
  t.is(second.held().length, 0);
  first.stop();
  await held(second);
  t.is(await ask(port), 'one 127.126.9.77;hi');
});

test('an address that cannot be had is reported once', async (t) => {
  const refused: string[] = [];
  const made = new ServiceListeners({
    clock: new ManualClock(),
    random: seededRandom(1),
    logger: silentLogger,
    onRefused: (listener, code) => refused.push(`${listener.owner} ${code}`),
  });
  t.teardown(() => made.stop());
  const wanted = new Map([['x', { address: '192.0.2.1', port: 4, owner: 'x', backends: [], shared: true }]]);
  made.apply(wanted);
  made.apply(wanted);
  for (let i = 0; i < 200 && refused.length === 0; i++) await new Promise((resolve) => setTimeout(resolve, 5));
  t.deepEqual(refused, ['x EADDRNOTAVAIL']);
});
