import type { ConfigState } from '../config/config-state.js';
import type { ListenerSet } from '../listener/listener-set.js';
import type { StatsRegistry } from '../stats/registry.js';
import { renderPrometheus, renderStats } from '../stats/render.js';
import { configDump } from './config-dump.js';
import { clustersJson, clustersText } from './clusters.js';
import { type AdminRequest, type AdminResponse, json, prometheus, text } from './http.js';
import type { Node } from '@flotilla/xds';

export interface AdminPorts {
  node: Node;
  config: ConfigState;
  listeners: ListenerSet;
  registry: StatsRegistry;
  startedAt: number;
  now(): number;
  state(): 'LIVE' | 'DRAINING' | 'INITIALIZING';
  /** Empty if the proxy is ready, else what it waits for. */
  waitingFor(): string[];
  logLevel: { get(): string; set(level: string): boolean };
  /** `/healthcheck/fail` and `/ok`. */
  health: { failed: boolean };
  drainListeners(): void;
  quit(): void;
}

interface AdminEndpoint {
  help: string;
  /** Changes state: only by POST. */
  post?: boolean;
  run(request: AdminRequest, ports: AdminPorts): AdminResponse;
}

const ok = text('OK\n');
const filterOf = (request: AdminRequest): RegExp | undefined => {
  const filter = request.query.get('filter');
  return filter ? new RegExp(filter) : undefined;
};

/** Envoy's administration interface, as far as it makes sense here. */
export const adminEndpoints: Record<string, AdminEndpoint> = {
  '/certs': { help: 'certificates in use', run: () => json({ certificates: [] }) },
  '/clusters': {
    help: 'upstream cluster status (format=json)',
    run: ({ query }, { config }) =>
      query.get('format') === 'json' ? json(clustersJson(config)) : text(clustersText(config)),
  },
  '/config_dump': {
    help: 'the configuration at work (resource=, name_regex=)',
    run: ({ query }, ports) => configDump(query, ports),
  },
  '/drain_listeners': { help: 'stop listening', post: true, run: (_, ports) => (ports.drainListeners(), ok) },
  '/healthcheck/fail': { help: 'make /ready fail', post: true, run: (_, ports) => ((ports.health.failed = true), ok) },
  '/healthcheck/ok': {
    help: 'undo /healthcheck/fail',
    post: true,
    run: (_, ports) => ((ports.health.failed = false), ok),
  },
  '/listeners': { help: 'listeners and their addresses (format=json)', run: listenersOf },
  '/logging': { help: 'log level (level=debug)', post: true, run: logging },
  '/memory': { help: 'memory in use', run: memory },
  '/quitquitquit': { help: 'exit', post: true, run: (_, ports) => (ports.quit(), ok) },
  '/ready': { help: 'whether configuration is complete', run: ready },
  '/reset_counters': { help: 'set counters to zero', post: true, run: (_, ports) => (ports.registry.reset(), ok) },
  '/server_info': { help: 'version, state and node', run: serverInfo },
  '/stats': {
    help: 'statistics (filter=, usedonly, format=prometheus)',
    run: (request, { registry }) =>
      request.query.get('format') === 'prometheus'
        ? prometheus(renderPrometheus(registry, filterOf(request)))
        : text(renderStats(registry, filterOf(request), request.query.has('usedonly'))),
  },
  '/stats/prometheus': {
    help: 'statistics for Prometheus (filter=)',
    run: (request, { registry }) => prometheus(renderPrometheus(registry, filterOf(request))),
  },
};

export function adminHandler(ports: AdminPorts): (request: AdminRequest) => AdminResponse {
  return (request) => {
    if (request.path === '/' || request.path === '/help') return text(helpText());
    const endpoint = Object.hasOwn(adminEndpoints, request.path) ? adminEndpoints[request.path] : undefined;
    if (!endpoint) return text(`invalid path. ${helpText()}`, 404);
    if (endpoint.post && request.method !== 'POST')
      return text(`Method ${request.method} not allowed, POST required.\n`, 405);
    return endpoint.run(request, ports);
  };
}

function helpText(): string {
  const lines = Object.entries(adminEndpoints).map(
    ([path, { help, post }]) => `  ${path}: ${help}${post ? ' (POST)' : ''}`,
  );
  return `admin commands are:\n${lines.join('\n')}\n`;
}

function ready(_: AdminRequest, ports: AdminPorts): AdminResponse {
  const state = ports.state();
  if (state === 'LIVE' && !ports.health.failed) return text('LIVE\n');
  const why = ports.waitingFor();
  return text(`${state}${why.length > 0 ? `: waiting for ${why.join(', ')}` : ''}\n`, 503);
}

function listenersOf({ query }: AdminRequest, { listeners }: AdminPorts): AdminResponse {
  const all = [...listeners.all()].map(({ spec }) => ({ spec, bound: listeners.bound(spec.name) }));
  if (query.get('format') === 'json') {
    const statuses = all.map(({ spec, bound }) => {
      const [host = spec.address, port = spec.port] = bound[0]?.split(':') ?? [];
      const address = { socket_address: { address: host, port_value: Number(port) } };
      return { name: spec.name, local_address: address, bound };
    });
    return json({ listener_statuses: statuses });
  }
  return text(all.map(({ spec, bound }) => `${spec.name}::${bound[0] ?? `${spec.address}:${spec.port}`}\n`).join(''));
}

function logging({ query }: AdminRequest, { logLevel }: AdminPorts): AdminResponse {
  const level = query.get('level');
  if (level && !logLevel.set(level)) return text('usage: /logging?level=<debug|info|warning|error>\n', 400);
  return text(`active loggers:\n  proxy: ${logLevel.get()}\n`);
}

function memory(): AdminResponse {
  const { rss, heapUsed, heapTotal, external } = process.memoryUsage();
  return json({
    allocated: String(heapUsed),
    heap_size: String(heapTotal),
    total_physical_bytes: String(rss),
    external: String(external),
  });
}

function serverInfo(_: AdminRequest, ports: AdminPorts): AdminResponse {
  const seconds = Math.round((ports.now() - ports.startedAt) / 1000);
  return json({
    version: 'flotilla/0.1.0',
    state: ports.state() === 'INITIALIZING' ? 'INITIALIZING' : ports.state(),
    uptime_current_epoch: `${seconds}s`,
    uptime_all_epochs: `${seconds}s`,
    node: ports.node,
    command_line_options: { log_level: ports.logLevel.get() },
  });
}
