import { createServer as createHttp2 } from 'node:http2';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createServer as createTcp, type Server } from 'node:net';
import { ManualClock } from '@flotilla/base';
import test, { type ExecutionContext } from 'ava';
import { check, checkHttp, portOf } from './check.js';
import { Prober, type ProberOptions } from './prober.js';
import { count, freshTally } from './tally.js';

const container = { name: 'app', resources: {}, ports: [{ name: 'web', containerPort: 8080 }] };

test('thresholds count results in a row', (t) => {
  const thresholds = { success: 2, failure: 3 };
  const results = [true, false, true, true, false, false, false, false, true];
  let tally = freshTally;
  const verdicts = results.map((result) => {
    const next = count(tally, result, thresholds);
    tally = next.tally;
    return next.verdict;
  });
  t.deepEqual(verdicts, [undefined, undefined, undefined, true, undefined, undefined, false, false, undefined]);
});

/** A prober on a clock of its own; `answer` is what the next tries give. */
function prober(options: Partial<ProberOptions> & { answer: () => boolean }) {
  const clock = new ManualClock(0);
  const tries: number[] = [];
  const verdicts: string[] = [];
  const failures: number[] = [];
  const made = new Prober({
    kind: 'readiness',
    probe: { periodSeconds: 10 },
    startedAt: 0,
    clock,
    check: () => {
      tries.push(clock.now());
      return Promise.resolve({ success: options.answer(), output: '' });
    },
    onFailure: () => failures.push(clock.now()),
    onVerdict: (success) => verdicts.push(`${clock.now()} ${success}`),
    ...options,
  });
  const pass = async (ms: number): Promise<void> => {
    for (let i = 0; i < ms; i++) {
      clock.advance(1);
      await Promise.resolve();
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return { made, tries, verdicts, failures, pass };
}

test('until something answers it is tried often, and only tries of the period count', async (t) => {
  let up = false;
  const { made, tries, verdicts, failures, pass } = prober({
    answer: () => up,
    probe: { periodSeconds: 1, failureThreshold: 2 },
  });
  await pass(500);
  t.true(tries.length > 5);
  t.deepEqual(failures, []);
  await pass(600);
  t.is(failures.length, 1);
  up = true;
  made.hint();
  await pass(5);
  t.is(verdicts.length, 1);
  t.regex(verdicts[0]!, /true$/);
  const before = tries.length;
  await pass(900);
  t.true(tries.length - before <= 1);
  made.stop();
});

test('the initial delay is kept', async (t) => {
  const { made, tries, pass } = prober({ answer: () => true, probe: { initialDelaySeconds: 1, periodSeconds: 5 } });
  await pass(990);
  made.hint();
  await pass(5);
  t.deepEqual(tries, []);
  await pass(20);
  t.is(tries.length, 1);
  made.stop();
});

test('liveness has no tries in between', async (t) => {
  const { made, tries, verdicts, pass } = prober({
    kind: 'liveness',
    answer: () => false,
    probe: { periodSeconds: 1, failureThreshold: 2 },
  });
  await pass(1900);
  t.is(tries.length, 2);
  t.is(verdicts.length, 1);
  made.stop();
});

async function listening(t: ExecutionContext, server: Server): Promise<number> {
  server.listen(0, '127.126.6.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return (server.address() as { port: number }).port;
}

test('HTTP probes: statuses, headers, redirects, time', async (t) => {
  const server = createServer((request, response) => {
    if (request.url === '/slow') return;
    if (request.url === '/header')
      response.writeHead(request.headers['x-a'] === 'b' && request.headers.host === 'h' ? 200 : 400);
    else if (request.url === '/redirect') response.writeHead(302, { location: '/bad' });
    else if (request.url === '/elsewhere') response.writeHead(302, { location: 'http://192.0.2.1/' });
    else if (request.url === '/big') return void response.end(Buffer.alloc(1e6));
    else response.writeHead(request.url === '/bad' ? 503 : 204);
    response.end();
  });
  const port = await listening(t, server);
  const ask = (path: string, more = {}, timeout = 2000) =>
    checkHttp({ path, port, ...more }, timeout, { podIP: '127.126.6.1', container });
  t.true((await ask('/')).success);
  t.true((await ask('ok')).success);
  t.true((await ask('/big')).success);
  t.deepEqual(await ask('/bad'), { success: false, output: 'HTTP probe failed with statuscode: 503' });
  t.false((await ask('/redirect')).success);
  t.true((await ask('/elsewhere')).success);
  t.true(
    (
      await ask('/header', {
        httpHeaders: [
          { name: 'X-A', value: 'b' },
          { name: 'Host', value: 'h' },
        ],
      })
    ).success,
  );
  t.regex((await ask('/slow', {}, 50)).output, /context deadline exceeded/);
  t.regex(
    (await ask('/', { port: 1 })).output,
    /^Get "http:\/\/127\.126\.6\.1:1\/": dial tcp 127\.126\.6\.1:1: connect: connection refused$/,
  );
  t.is((await ask('/', { port: 'nope' })).output, "couldn't find port: nope");
  server.closeAllConnections();
});

test('TCP and gRPC probes', async (t) => {
  const target = { podIP: '127.126.6.1', container, run: () => Promise.resolve({ code: 0, output: '' }) };
  const tcp = await listening(
    t,
    createTcp((socket) => socket.destroy()),
  );
  t.true((await check({ tcpSocket: { port: tcp } }, 1000, target)).success);
  t.regex((await check({ tcpSocket: { port: 1 } }, 1000, target)).output, /connection refused/);
  const grpc = createHttp2();
  grpc.on('stream', (stream) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      const status = Buffer.concat(chunks).toString('latin1').includes('bad') ? 2 : 1;
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(Buffer.from([0, 0, 0, 0, 2, 8, status]));
    });
  });
  const port = await listening(t, grpc);
  t.true((await check({ grpc: { port } }, 2000, target)).success);
  t.regex((await check({ grpc: { port, service: 'bad' } }, 2000, target)).output, /NOT_SERVING/);
  t.false((await check({ grpc: { port: 1 } }, 500, target)).success);
});

test('exec probes and named ports', async (t) => {
  const target = (code: number | undefined) => ({
    podIP: '',
    container,
    run: () => Promise.resolve({ code, output: 'out' }),
  });
  t.deepEqual(await check({ exec: { command: ['x'] } }, 1000, target(1)), { success: false, output: 'out' });
  t.regex((await check({ exec: { command: ['x'] } }, 1000, target(undefined))).output, /timed out after 1s/);
  t.is(portOf('web', container), 8080);
  t.is(portOf('8081', container), 8081);
});
