import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { silentLogger } from '@flotilla/base';
import test, { type ExecutionContext } from 'ava';
import { startDnsServer } from '../dns/server.js';
import type { ServiceView } from '../services/model.js';
import type { CaptureRules } from './rules.js';

const shim = fileURLToPath(new URL('../bin/shim.cjs', import.meta.url));
let pods = 0;

interface Pod {
  dir: string;
  podIP: string;
  localIP: string;
  env: Record<string, string>;
}

/** A pod of its own for each test: address, twin, capture directory. */
function pod(t: ExecutionContext, rules?: Partial<CaptureRules>): Pod {
  const dir = mkdtempSync(join(tmpdir(), 'flotilla-shim-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  for (const part of ['inbound', 'listening', 'local']) mkdirSync(join(dir, part));
  const n = ++pods;
  const all: CaptureRules = {
    outboundPort: 15001,
    inboundPort: 15006,
    includeOutboundCIDRs: ['*'],
    excludeOutboundCIDRs: [],
    includeInboundPorts: ['*'],
    excludeInboundPorts: [15020, 15021, 15090],
    excludeOutboundPorts: [],
  };
  if (rules) writeFileSync(join(dir, 'rules.json'), JSON.stringify({ ...all, ...rules }));
  const [podIP, localIP] = [`127.126.7.${n}`, `127.190.7.${n}`];
  const env = {
    FLOTILLA_NETWORK: 'loopback',
    FLOTILLA_POD_IP: podIP,
    FLOTILLA_LOCAL_IP: localIP,
    FLOTILLA_CAPTURE_DIR: dir,
    FLOTILLA_HOSTNAME: `pod-${n}`,
    FLOTILLA_CLUSTER_DOMAIN: 'cluster.local',
    FLOTILLA_DEBUG: '1',
  };
  return { dir, podIP, localIP, env };
}

/** Runs a program with the shim and gives back what it wrote to standard output, as JSON if it is. */
async function run(
  code: string,
  env: Record<string, string>,
  type: 'module' | 'commonjs' = 'module',
): Promise<unknown> {
  const options = { env: { ...process.env, ...env, NODE_OPTIONS: `--require ${shim}` }, timeout: 20_000 };
  const args = [`--input-type=${type}`, '-e', code];
  const { stdout, stderr } = await new Promise<{ stdout: string; stderr: string }>((resolve, reject) => {
    execFile(process.execPath, args, options, (error, out, err) => {
      if (error) reject(new Error(`${error.message}\n${out}\n${err}`));
      else resolve({ stdout: out, stderr: err });
    });
  });
  if (stderr !== '') throw new Error(stderr);
  return JSON.parse(stdout) as unknown;
}

test('does nothing unless it is told about a pod', async (t) => {
  const code = `const net = require('net'), os = require('os'), dns = require('dns');
    const s = net.createServer().listen(0, () => {
      const { address } = s.address(); s.close();
      console.log(JSON.stringify([address, os.hostname() === '${'pod-0'}', dns.lookup.name]));
    });`;
  t.deepEqual(await run(code, {}, 'commonjs'), ['::', false, 'lookup']);
});

test('listening on the wildcard takes the pod’s address, and localhost leads back to it', async (t) => {
  const { env, podIP, localIP, dir } = pod(t);
  const code = `
    import http from 'node:http'; import net from 'node:net'; import { hostname, networkInterfaces } from 'node:os';
    const server = http.createServer((q, r) => r.end('hello'));
    await new Promise((go) => server.listen(0, go));
    const { address, port } = server.address();
    const texts = [];
    for (const host of ['localhost', '127.0.0.1', '${podIP}', hostname()])
      texts.push(await (await fetch('http://' + host + ':' + port)).text());
    const local = net.createServer((s) => s.end('local'));
    await new Promise((go) => local.listen(0, 'localhost', go));
    const at = local.address();
    const reply = await new Promise((go) => net.connect(at.port, 'localhost').on('data', (d) => go(String(d))));
    console.log(JSON.stringify({ address, texts, local: at.address, reply, ip: networkInterfaces().eth0[0].address, port }));
    server.closeAllConnections(); server.close(); local.close();`;
  const said = (await run(code, env)) as { port: number };
  t.like(said, {
    address: podIP,
    texts: ['hello', 'hello', 'hello', 'hello'],
    local: localIP,
    reply: 'local',
    ip: podIP,
  });
  t.true(readdirSync(join(dir, 'listening')).includes(String(said.port)));
  // Closed in good order, so nobody is told any more that it is there.
  t.deepEqual(readdirSync(join(dir, 'local')), []);
});

test('two pods listen on the same port and reach each other', async (t) => {
  const [one, two] = [pod(t), pod(t)];
  const code = `
    const net = require('net');
    const server = net.createServer((s) => s.end(s.remoteAddress)).listen(7777, () => {
      net.connect(7777, process.env.PEER).on('error', () => retry()).on('data', (d) => { console.log(JSON.stringify(String(d))); setTimeout(() => process.exit(), 300); });
    });
    const retry = () => setTimeout(() => net.connect(7777, process.env.PEER).on('error', retry)
      .on('data', (d) => { console.log(JSON.stringify(String(d))); setTimeout(() => process.exit(), 300); }), 20);`;
  const said = await Promise.all([
    run(code, { ...one.env, PEER: two.podIP }, 'commonjs'),
    run(code, { ...two.env, PEER: one.podIP }, 'commonjs'),
  ]);
  t.deepEqual(said, [one.podIP, two.podIP]);
});

/** Accepts what is captured, tells of each PROXY header, and answers HTTP/1.1. */
async function fakeProxy(t: ExecutionContext, podIP: string): Promise<{ seen: string[]; server: Server }> {
  const seen: string[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    let head = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      if (head.length >= 28) return;
      head = Buffer.concat([head, chunk]);
      if (head.length < 28) return;
      const ip = (at: number): string => [...head.subarray(at, at + 4)].join('.');
      seen.push(
        `${ip(16)} -> ${ip(20)}:${head.readUInt16BE(26)} ${head.readUInt16BE(24) === socket.remotePort ? 'same' : 'other'}`,
      );
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok');
    });
  });
  server.listen(15001, podIP);
  await once(server, 'listening');
  t.teardown(() => server.close());
  return { seen, server };
}

test('captured connections go to the proxy and say where they were meant to go', async (t) => {
  const { env, podIP } = pod(t, {});
  const { seen } = await fakeProxy(t, podIP);
  const code = `
    import http from 'node:http'; import net from 'node:net';
    const viaHttp = (options) => new Promise((go, no) => http.get(options, (r) => { r.resume(); go([r.statusCode, r.socket.remoteAddress]); }).on('error', no));
    const one = await viaHttp({ host: '127.254.1.1', port: 80, agent: new http.Agent({ keepAlive: true }) });
    const two = await (await fetch('http://127.254.1.2:81/')).text();
    const three = await viaHttp('http://192.0.2.1:82/');
    const socket = net.connect({ host: '127.254.1.4', port: 83 });
    socket.write('before it is connected');
    const four = await new Promise((go) => socket.on('data', (d) => go(String(d).slice(0, 8))));
    console.log(JSON.stringify([one, two, three, four, socket.remotePort, socket.localAddress]));`;
  t.deepEqual(await run(code, env), [[200, '127.254.1.1'], 'ok', [200, '192.0.2.1'], 'HTTP/1.1', 83, podIP]);
  t.deepEqual(seen, [
    `${podIP} -> 127.254.1.1:80 same`,
    `${podIP} -> 127.254.1.2:81 same`,
    `${podIP} -> 192.0.2.1:82 same`,
    `${podIP} -> 127.254.1.4:83 same`,
  ]);
});

test('TLS and HTTP/2 are captured below their handshake', async (t) => {
  const { env, podIP } = pod(t, {});
  const firsts: string[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    let all = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      all = Buffer.concat([all, chunk]);
      if (all.length <= 32) return;
      firsts.push(`${[...all.subarray(20, 24)].join('.')} ${all.subarray(28, 31).toString('latin1')}`);
      socket.destroy();
    });
  });
  server.listen(15001, podIP);
  await once(server, 'listening');
  t.teardown(() => server.close());
  const code = `
    import tls from 'node:tls'; import http2 from 'node:http2';
    await new Promise((go) => tls.connect({ host: '127.254.1.1', port: 443, rejectUnauthorized: false }).on('error', go).on('close', go));
    await new Promise((go) => http2.connect('http://127.254.1.2:80').on('error', go).on('close', go));
    console.log('1');`;
  await run(code, env);
  t.deepEqual(firsts, ['127.254.1.1 \x16\x03\x01', '127.254.1.2 PRI']);
});

test('captured servers listen on the twin and announce their port', async (t) => {
  const { env, dir, localIP, podIP } = pod(t, {});
  const code = `
    const http = require('http'), fs = require('fs');
    const server = http.createServer((q, r) => r.end('hi')).listen(0, async () => {
      const { address, port } = server.address();
      const health = http.createServer().listen(15021, async () => {
        const texts = [];
        for (const host of ['localhost', process.env.FLOTILLA_POD_IP]) texts.push(await (await fetch('http://' + host + ':' + port)).text());
        const announced = fs.readdirSync(process.env.FLOTILLA_CAPTURE_DIR + '/inbound');
        console.log(JSON.stringify([address, texts, announced.join() === String(port), health.address().address]));
        server.closeAllConnections(); server.close(); health.close();
      });
    });`;
  t.deepEqual(await run(code, env, 'commonjs'), [localIP, ['hi', 'hi'], true, podIP]);
  t.deepEqual(readdirSync(join(dir, 'inbound')), []);
});

test('nothing is said of how it is done, also where the program asks to hear of all deprecations', async (t) => {
  const { env, podIP } = pod(t);
  const code = `const s = require('net').createServer().listen(0, () => {
    console.log(JSON.stringify([s.address().address, Object.hasOwn(process, 'noDeprecation')])); s.close();
  });`;
  t.deepEqual(await run(code, { ...env, NODE_PENDING_DEPRECATION: '1' }, 'commonjs'), [podIP, false]);
});

test('a program whose permissions forbid the handles runs without the pod’s network', async (t) => {
  const { env, dir } = pod(t);
  const file = join(dir, 'program.cjs');
  writeFileSync(
    file,
    `const s = require('net').createServer().listen(0, '127.0.0.1', () => {
       console.log(JSON.stringify(s.address().address)); s.close();
     });`,
  );
  const permission = process.allowedNodeEnvironmentFlags.has('--permission')
    ? '--permission'
    : '--experimental-permission';
  const flags = [
    permission,
    '--allow-fs-read=*',
    ...(process.allowedNodeEnvironmentFlags.has('--allow-net') ? ['--allow-net'] : []),
  ];
  t.is(await runFile(file, env, flags), '127.0.0.1');
});

test('cluster workers share a port', async (t) => {
  const { env, dir, podIP } = pod(t);
  const file = join(dir, 'program.cjs');
  writeFileSync(
    file,
    `const cluster = require('cluster'), http = require('http');
     if (cluster.isPrimary) {
       for (let i = 0; i < 2; i++) cluster.fork();
       let up = 0;
       cluster.on('listening', async (worker, { address }) => {
         if (++up < 2) return;
         const port = Number(process.env.PORT);
         const text = await (await fetch('http://' + process.env.FLOTILLA_POD_IP + ':' + port, { headers: { connection: 'close' } })).text();
         console.log(JSON.stringify(text));
         process.exit();
       });
     } else http.createServer((q, r) => r.end('worker ' + q.socket.localAddress)).listen(process.env.PORT);`,
  );
  t.is(await runFile(file, { ...env, PORT: '7801' }), `worker ${podIP}`);
});

/** As `run`, for a program in a file: cluster starts its own kind again. */
async function runFile(file: string, env: Record<string, string>, flags: string[] = []): Promise<unknown> {
  const options = { env: { ...process.env, ...env, NODE_OPTIONS: `--require ${shim}` }, timeout: 20_000 };
  const stdout = await new Promise<string>((resolve, reject) => {
    execFile(process.execPath, [...flags, file], options, (error, out, err) =>
      error ? reject(new Error(err)) : resolve(out),
    );
  });
  return JSON.parse(stdout) as unknown;
}

test('names resolve through the node’s server', async (t) => {
  const service: ServiceView = {
    namespace: 'default',
    name: 'web',
    clusterIP: '127.254.0.10',
    publishNotReadyAddresses: false,
    ports: [],
    endpoints: [],
  };
  const server = await startDnsServer({
    address: '127.126.7.250',
    port: 0,
    domain: 'cluster.local',
    upstreams: [],
    logger: silentLogger,
    data: {
      service: (namespace, name) => (namespace === 'default' && name === 'web' ? service : undefined),
      serviceByIP: () => undefined,
      hasNamespace: () => true,
    },
  });
  t.teardown(() => server.stop());
  const { env, podIP } = pod(t);
  const dnsEnv = {
    FLOTILLA_DNS: server.address,
    FLOTILLA_DNS_SEARCH: 'default.svc.cluster.local svc.cluster.local',
    FLOTILLA_DNS_NDOTS: '5',
    FLOTILLA_HOSTS: JSON.stringify({ 'alias.example': '192.0.2.9' }),
  };
  const code = `
    import dns, { lookup } from 'node:dns'; import { lookup as promised, resolve4 } from 'node:dns/promises'; import { promisify } from 'node:util';
    const out = {};
    out.callback = await new Promise((go) => lookup('web', (error, address, family) => go([error, address, family])));
    out.all = await promised('web.default', { all: true });
    out.promise = await promised('web.default.svc.cluster.local');
    out.promisified = await promisify(lookup)('web', { family: 4 });
    out.own = await promised(process.env.FLOTILLA_HOSTNAME);
    out.alias = (await promised('Alias.example')).address;
    out.numeric = await promised('192.0.2.1');
    out.local = (await promised('localhost', { family: 4 })).address;
    out.resolved = await resolve4('web.default.svc.cluster.local');
    out.missing = await promised('nope.default.svc.cluster.local').catch((e) => e.code + ' ' + e.syscall + ' ' + e.hostname);
    out.six = await promised('web', { family: 6 }).catch((e) => e.code);
    try { lookup('web', 'wrong'); } catch (e) { out.wrong = e.code; }
    out.servers = dns.getServers().length;
    console.log(JSON.stringify(out));`;
  t.deepEqual(await run(code, { ...env, ...dnsEnv }), {
    callback: [null, '127.254.0.10', 4],
    all: [{ address: '127.254.0.10', family: 4 }],
    promise: { address: '127.254.0.10', family: 4 },
    promisified: { address: '127.254.0.10', family: 4 },
    own: { address: podIP, family: 4 },
    alias: '192.0.2.9',
    numeric: { address: '192.0.2.1', family: 4 },
    local: '127.0.0.1',
    resolved: ['127.254.0.10'],
    missing: 'ENOTFOUND getaddrinfo nope.default.svc.cluster.local',
    six: 'ENOTFOUND',
    wrong: 'ERR_INVALID_ARG_TYPE',
    servers: 1,
  });
});

test('mount paths lead to the volumes, in every way that files are opened', async (t) => {
  const { env, dir } = pod(t);
  mkdirSync(join(dir, 'volume'));
  writeFileSync(join(dir, 'volume', 'a'), 'A');
  const mounts = { FLOTILLA_MOUNTS: JSON.stringify([{ path: '/mnt/flotilla-test', dir: join(dir, 'volume') }]) };
  const code = `
    import fs, { readFileSync, promises } from 'node:fs'; import { readFile, writeFile, rename, readdir, stat } from 'node:fs/promises';
    import { pipeline } from 'node:stream/promises'; import { promisify } from 'node:util';
    const at = '/mnt/flotilla-test';
    const out = [];
    out.push(readFileSync(at + '/a', 'utf8'), fs.existsSync(at + '/b'), fs.statSync(at).isDirectory());
    await writeFile(at + '/b', 'B');
    await rename(at + '/b', at + '/c');
    out.push((await readdir(at)).sort(), await readFile(new URL('file://' + at + '/c'), 'utf8'), (await stat(at + '/c')).size);
    await pipeline(fs.createReadStream(at + '/a'), fs.createWriteStream(at + '/d'));
    out.push((await promises.readFile(Buffer.from(at + '/d'))).toString(), await promisify(fs.readFile)(at + '/d', 'utf8'), await promisify(fs.exists)(at + '/d'));
    const handle = await promises.open(at + '/d'); out.push((await handle.readFile()).toString()); await handle.close();
    process.chdir(at); out.push(fs.existsSync('a'), fs.existsSync('/mnt/flotilla-testing'));
    console.log(JSON.stringify(out));`;
  t.deepEqual(await run(code, { ...env, ...mounts }), [
    'A',
    false,
    true,
    ['a', 'c'],
    'B',
    1,
    'A',
    'A',
    true,
    'A',
    true,
    false,
  ]);
  t.is(readFileSync(join(dir, 'volume', 'd'), 'utf8'), 'A');
});

test('datagrams stay within the pod', async (t) => {
  const { env, podIP } = pod(t);
  const code = `
    import dgram from 'node:dgram';
    const server = dgram.createSocket('udp4');
    const got = new Promise((go) => server.on('message', (m) => go(String(m))));
    await new Promise((go) => server.bind(7900, go));
    const client = dgram.createSocket('udp4');
    client.send('hello', 7900, 'localhost');
    console.log(JSON.stringify([server.address().address, await got]));
    client.close(); server.close();`;
  t.deepEqual(await run(code, env), [podIP, 'hello']);
});

test('worker threads are of the pod too', async (t) => {
  const { env, podIP } = pod(t);
  const code = `
    const { Worker } = require('worker_threads');
    new Worker("const s = require('net').createServer().listen(0, () => { require('worker_threads').parentPort.postMessage(s.address().address); s.close(); });", { eval: true })
      .on('message', (address) => console.log(JSON.stringify(address)));`;
  t.is(await run(code, env, 'commonjs'), podIP);
});

test('a broken configuration never stops a program', async (t) => {
  const { env } = pod(t);
  const code = 'console.log(JSON.stringify(1 + 1))';
  t.is(await run(code, { ...env, FLOTILLA_MOUNTS: '{broken', FLOTILLA_DEBUG: '' }), 2);
});
