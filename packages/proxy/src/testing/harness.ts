import { mkdtempSync, rmSync } from 'node:fs';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as httpRequest,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { systemClock, systemRandom } from '@flotilla/host';
import { readBootstrap } from '../bootstrap.js';
import { LeveledLogger } from '../leveled-logger.js';
import { Proxy } from '../proxy.js';
import { FakePilot, type World } from './fake-pilot.js';
import { systemWait } from './wait.js';

/** Each test file has its own /24 of 127.125.0.0/16, each address in it is handed out once. */
export class Addresses {
  readonly #net: number;
  #next = 1;

  constructor(net: number) {
    this.#net = net;
  }

  next(): string {
    return `127.125.${this.#net}.${this.#next++}`;
  }
}

export interface Mesh {
  pilot: FakePilot;
  proxy: Proxy;
  ip: string;
  localIP: string;
  captureDir: string;
  /** Access log lines so far. */
  logs: string[];
}

/** A proxy in this process, with a control plane of its own; ends with the test. */
export async function startMesh(
  t: ExecutionContext,
  addresses: Addresses,
  world: World,
  options: { type?: 'sidecar' | 'router'; env?: Record<string, string>; wait?: boolean } = {},
): Promise<Mesh> {
  const ip = addresses.next();
  const localIP = addresses.next();
  const pilot = new FakePilot(addresses.next());
  await pilot.start();
  pilot.push(world);
  const captureDir = mkdtempSync(join(tmpdir(), 'flotilla-proxy-'));
  const env = {
    POD_NAME: 'app-v1-7f5c9d8b4-xk2mp',
    POD_NAMESPACE: 'default',
    FLOTILLA_NETWORK: 'loopback',
    FLOTILLA_POD_IP: ip,
    FLOTILLA_LOCAL_IP: localIP,
    FLOTILLA_CAPTURE_DIR: captureDir,
    FLOTILLA_PILOT: `${pilot.address.host}:${pilot.address.port}`,
    ISTIO_METAJSON_LABELS: '{"app":"app","version":"v1"}',
    ...options.env,
  };
  const logs: string[] = [];
  const args = [options.type ?? 'router', '--domain', 'default.svc.cluster.local', '--proxyLogLevel=error'];
  const proxy = new Proxy(readBootstrap(args, env), {
    clock: systemClock,
    random: systemRandom,
    logger: new LeveledLogger('error'),
    sinks: { stdout: (line) => logs.push(line), stderr: () => {} },
    quit: () => {},
  });
  let stopped = false;
  t.teardown(async () => {
    if (!stopped) await stopNow(proxy);
    stopped = true;
    pilot.stop();
    rmSync(captureDir, { recursive: true, force: true });
  });
  await proxy.start();
  if (options.wait !== false) await systemWait(() => proxy.state === 'LIVE', 'the proxy to be ready');
  return { pilot, proxy, ip, localIP, captureDir, logs };
}

/** Stops without waiting for connections. */
async function stopNow(proxy: Proxy): Promise<void> {
  proxy.listeners.destroy();
  await proxy.stop();
}

export interface Backend {
  ip: string;
  port: number;
  server: Server;
  requests: IncomingMessage[];
}

/** An HTTP server on an address of its own; answers with its name unless told otherwise. */
export async function startBackend(
  t: ExecutionContext,
  addresses: Addresses,
  name: string,
  handler?: (req: IncomingMessage, res: ServerResponse) => void,
  at: { ip?: string; port?: number } = {},
): Promise<Backend> {
  const requests: IncomingMessage[] = [];
  const server = createServer((req, res) => {
    requests.push(req);
    if (handler) return handler(req, res);
    req.resume();
    req.on('end', () => res.end(name));
  });
  const ip = at.ip ?? addresses.next();
  await new Promise<void>((resolve) => server.listen(at.port ?? 0, ip, resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { ip, port: (server.address() as AddressInfo).port, server, requests };
}

export interface Reply {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

export function call(
  ip: string,
  port: number,
  options: { path?: string; method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const { path = '/', method = 'GET', headers = {}, body } = options;
    const request = httpRequest({ host: ip, port, path, method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks).toString(),
        }),
      );
      response.once('error', reject);
    });
    request.once('error', reject);
    request.end(body);
  });
}

/** The last access log line, split at blanks outside quotes. */
export async function lastLog(mesh: Mesh, count = 1): Promise<string[]> {
  await systemWait(() => mesh.logs.length >= count, 'an access log line');
  return (
    mesh.logs
      .at(-1)!
      .trim()
      .match(/"[^"]*"|\S+/g) ?? []
  );
}
