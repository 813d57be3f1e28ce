import { createServer, type ServerResponse } from 'node:http';
import type { Connection } from './connection.js';
import { configDump, syncStatus } from './config-dump.js';
import type { Discovery } from './discovery.js';
import type { RunningServer } from './grpc.js';
import type { Metrics } from './metrics.js';

/** `/ready`, `/metrics` and `/debug/…` over plain HTTP, as istiod's port 15014. */
export function serveMonitoring(
  listen: { host: string; port: number },
  parts: { discovery: Discovery; metrics: Metrics; ready: () => boolean },
): Promise<RunningServer> {
  parts.metrics.collect(() => {
    const { user, system } = process.cpuUsage();
    parts.metrics.set('process_cpu_seconds_total', (user + system) / 1e6);
    parts.metrics.set('process_resident_memory_bytes', process.memoryUsage.rss());
  });
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://pilot');
    if (request.method !== 'GET' && request.method !== 'HEAD') return send(response, 405, 'text/plain', 'GET only\n');
    answer(url, response, parts);
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(listen.port, listen.host, () => {
      const address = server.address();
      const port = typeof address === 'object' && address ? address.port : listen.port;
      resolve({
        port,
        stop: () =>
          new Promise((done) => {
            server.close(() => done());
            server.closeAllConnections();
          }),
      });
    });
  });
}

function answer(
  url: URL,
  response: ServerResponse,
  { discovery, metrics, ready }: { discovery: Discovery; metrics: Metrics; ready: () => boolean },
): void {
  switch (url.pathname) {
    case '/ready':
      return ready() ? send(response, 200, 'text/plain', '') : send(response, 503, 'text/plain', 'not synced\n');
    case '/metrics':
      return send(response, 200, 'text/plain; version=0.0.4', metrics.text());
    case '/debug/syncz':
      return sendJson(response, syncStatus(discovery.connections));
    case '/debug/problems':
      return sendJson(response, discovery.problems());
    case '/debug/config_dump': {
      const id = url.searchParams.get('proxyID') ?? '';
      const connection = find(discovery.connections, id);
      if (connection) return sendJson(response, configDump(connection));
      return send(response, 404, 'text/plain', `no proxy "${id}" is connected; proxyID is pod.namespace\n`);
    }
    default:
      return send(response, 404, 'text/plain', 'not found\n');
  }
}

function find(connections: Iterable<Connection>, id: string): Connection | undefined {
  for (const connection of connections) {
    const { proxy } = connection;
    if (proxy && (proxy.id === id || `${proxy.pod}.${proxy.namespace}` === id)) return connection;
  }
  return undefined;
}

function sendJson(response: ServerResponse, body: unknown): void {
  send(response, 200, 'application/json', `${JSON.stringify(body, null, 2)}\n`);
}

function send(response: ServerResponse, code: number, type: string, body: string): void {
  response.writeHead(code, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}
