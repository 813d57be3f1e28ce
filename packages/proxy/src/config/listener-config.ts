import { FilterChainTable, InvalidConfig, pickWeighted, refuse } from '@flotilla/traffic';
import type { Random } from '@flotilla/base';
import {
  durationMs,
  type Filter,
  type FilterChain,
  type Listener,
  type ListenerFilter,
  type ListenerFilterChainMatchPredicate,
  type TcpProxy,
  unpack,
} from '@flotilla/xds';
import type { InspectOptions } from '@flotilla/wire';
import { type AccessLog, compileAccessLogs, type LogSinks } from './access-log.js';
import { compileHttp, type HttpSpec } from './http-config.js';

/** A Listener in our own terms. Times are milliseconds, 0 is none. */
export interface ListenerSpec {
  name: string;
  config: Listener;
  address: string;
  port: number;
  /** False: only reached through a listener with `use_original_dst`. */
  bind: boolean;
  useOriginalDst: boolean;
  direction: 'INBOUND' | 'OUTBOUND' | 'UNSPECIFIED';
  /** The listener filters for a connection to this port. */
  inspect(port: number): InspectOptions;
  chains: FilterChainTable<ChainSpec>;
  /** Every chain, the default one included. */
  all: readonly ChainSpec[];
  accessLogs: readonly AccessLog[];
}

export type ChainSpec = { name: string; listener: string } & (
  | { kind: 'http'; http: HttpSpec }
  | { kind: 'tcp'; tcp: TcpSpec }
  /** No filters: the connection is closed. */
  | { kind: 'close' }
);

export interface TcpSpec {
  statPrefix: string;
  cluster(random: Random): string;
  idleTimeout: number;
  connectAttempts: number;
  accessLogs: readonly AccessLog[];
}

/** Throws InvalidConfig. */
export function compileListener(config: Listener, sinks: LogSinks): ListenerSpec {
  const name = config.name ?? '';
  if (!name) throw new InvalidConfig('name', 'a name is required');
  refuse('', config, [
    'filter_chain_matcher',
    'udp_listener_config',
    'api_listener',
    'internal_listener',
    'additional_addresses',
  ]);
  const socket = config.address?.socket_address;
  if (!socket?.address || socket.port_value === undefined)
    throw new InvalidConfig('address', 'a socket address is required');
  if (socket.protocol === 'UDP')
    throw new InvalidConfig('address.socket_address.protocol', 'UDP is not supported by this proxy');
  const chains = (config.filter_chains ?? []).map((chain, i) => ({
    match: chain.filter_chain_match,
    value: compileChain(chain, name, `filter_chains[${i}]`, sinks),
  }));
  const fallback =
    config.default_filter_chain && compileChain(config.default_filter_chain, name, 'default_filter_chain', sinks);
  if (chains.length === 0 && !fallback) throw new InvalidConfig('filter_chains', 'no filter chains specified');
  const all = chains.map(({ value }) => value);
  if (fallback) all.push(fallback);
  return {
    name,
    config,
    address: socket.address,
    port: socket.port_value,
    bind: (config.bind_to_port ?? true) && !(config.deprecated_v1?.bind_to_port === false),
    useOriginalDst: config.use_original_dst ?? false,
    direction: config.traffic_direction ?? 'UNSPECIFIED',
    inspect: compileInspect(config),
    chains: new FilterChainTable(chains, fallback),
    all,
    accessLogs: compileAccessLogs(config.access_log, 'access_log', sinks),
  };
}

function compileInspect(config: Listener): ListenerSpec['inspect'] {
  const timeout = durationMs(config.listener_filters_timeout) ?? 15_000;
  const base: InspectOptions = {
    // A PROXY header is due at once; only the guessing of protocols may be told to wait for ever.
    proxyTimeout: timeout || 15_000,
    sniffTimeout: timeout,
    onTimeout: config.continue_on_listener_filters_timeout ? 'continue' : 'close',
  };
  const filters = (config.listener_filters ?? []).map((filter, i) =>
    compileListenerFilter(filter, `listener_filters[${i}]`),
  );
  return (port) => Object.assign({}, base, ...filters.map((filter) => (filter.disabled(port) ? {} : filter.options)));
}

interface ListenerFilterSpec {
  options: Pick<InspectOptions, 'proxyProtocol' | 'tls' | 'http'>;
  disabled(port: number): boolean;
}

function compileListenerFilter(filter: ListenerFilter, path: string): ListenerFilterSpec {
  refuse(path, filter, ['config_discovery']);
  const { filter_disabled } = filter;
  const disabled = filter_disabled ? compilePredicate(filter_disabled, `${path}.filter_disabled`) : () => false;
  const any = filter.typed_config;
  const proxy = unpack('envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol', any);
  if (proxy) {
    refuse(`${path}.typed_config`, proxy, ['rules', 'disallowed_versions']);
    const proxyProtocol = proxy.allow_requests_without_proxy_protocol ? 'optional' : 'required';
    return { options: { proxyProtocol }, disabled };
  }
  if (unpack('envoy.extensions.filters.listener.http_inspector.v3.HttpInspector', any))
    return { options: { http: true }, disabled };
  if (unpack('envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector', any))
    return { options: { tls: true }, disabled };
  // The original destination is the accepted socket's local address on loopback: nothing to be done.
  if (unpack('envoy.extensions.filters.listener.original_dst.v3.OriginalDst', any)) return { options: {}, disabled };
  throw new InvalidConfig(
    path,
    `listener filter ${filter.name} (${any?.type_url ?? 'untyped'}) is not supported by this proxy`,
  );
}

/** Whether a filter is switched off for a destination port. */
function compilePredicate(rule: ListenerFilterChainMatchPredicate, path: string): (port: number) => boolean {
  const range = rule.destination_port_range;
  if (range) return (port) => port >= (range.start ?? 0) && port < (range.end ?? 0);
  if (rule.any_match) return () => true;
  if (rule.not_match) {
    const inner = compilePredicate(rule.not_match, `${path}.not_match`);
    return (port) => !inner(port);
  }
  const all = (rule.and_match ?? rule.or_match)?.rules?.map((r, i) => compilePredicate(r, `${path}.rules[${i}]`));
  if (!all) throw new InvalidConfig(path, 'a rule is required');
  return rule.and_match ? (port) => all.every((test) => test(port)) : (port) => all.some((test) => test(port));
}

/** Istio's network filters for what this proxy does anyway. */
const builtIn = /^istio\.(?:stats|metadata_exchange)$/;

function compileChain(chain: FilterChain, listener: string, path: string, sinks: LogSinks): ChainSpec {
  refuse(path, chain, ['use_proxy_proto', 'on_demand_configuration']);
  const socket = chain.transport_socket;
  if (socket && socket.name !== 'envoy.transport_sockets.raw_buffer') {
    throw new InvalidConfig(`${path}.transport_socket`, `${socket.name} is not supported by this proxy yet`);
  }
  const name = chain.name ?? '';
  const filters = chain.filters ?? [];
  for (const [i, filter] of filters.entries()) {
    const compiled = compileNetworkFilter(filter, `${path}.filters[${i}]`, sinks);
    if (!compiled) continue;
    if (i !== filters.length - 1)
      throw new InvalidConfig(`${path}.filters[${i}]`, 'a terminal filter must be the last');
    return { name, listener, ...compiled };
  }
  return { name, listener, kind: 'close' };
}

function compileNetworkFilter(
  filter: Filter,
  path: string,
  sinks: LogSinks,
): { kind: 'http'; http: HttpSpec } | { kind: 'tcp'; tcp: TcpSpec } | undefined {
  refuse(path, filter, ['config_discovery']);
  const at = `${path}.typed_config`;
  const manager = unpack(
    'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
    filter.typed_config,
  );
  if (manager) return { kind: 'http', http: compileHttp(manager, at, sinks) };
  const tcp = unpack('envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy', filter.typed_config);
  if (tcp) return { kind: 'tcp', tcp: compileTcp(tcp, at, sinks) };
  if (builtIn.test(filter.name ?? '')) return undefined;
  throw new InvalidConfig(
    path,
    `network filter ${filter.name} (${filter.typed_config?.type_url ?? 'untyped'}) is not supported by this proxy yet`,
  );
}

function compileTcp(config: TcpProxy, path: string, sinks: LogSinks): TcpSpec {
  refuse(path, config, ['tunneling_config', 'on_demand', 'metadata_match', 'max_downstream_connection_duration']);
  return {
    statPrefix: config.stat_prefix ?? '',
    cluster: tcpCluster(config, path),
    idleTimeout: durationMs(config.idle_timeout) ?? 3_600_000,
    connectAttempts: config.max_connect_attempts || 1,
    accessLogs: compileAccessLogs(config.access_log, `${path}.access_log`, sinks),
  };
}

function tcpCluster(config: TcpProxy, path: string): (random: Random) => string {
  const { cluster, weighted_clusters: weighted } = config;
  if (cluster) return () => cluster;
  const choices = (weighted?.clusters ?? []).map((c) => ({ weight: c.weight ?? 0, name: c.name ?? '' }));
  if (choices.reduce((sum, c) => sum + c.weight, 0) <= 0)
    throw new InvalidConfig(path, 'a cluster specifier is required');
  return (random) => pickWeighted(choices, random)?.name ?? choices[0]!.name;
}
