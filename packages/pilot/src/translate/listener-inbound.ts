import {
  duration,
  type FilterChain,
  type Listener,
  type ListenerFilterChainMatchPredicate,
  type RouteConfiguration,
} from '@flotilla/xds';
import { isHttp, sniffedProtocols } from '../model/protocol.js';
import { defaults } from './durations.js';
import { httpManager, tcpProxy } from './http-manager.js';
import type { InboundPort } from './inbound-ports.js';
import { httpInspector, originalDst } from './listener-filters.js';
import { address } from './listener-sidecar.js';
import { blackHoleCluster, inboundCluster, inboundPassthroughCluster, ports as wellKnown } from './names.js';
import { inboundRetryPolicy } from './route-retry.js';

/** Takes every connection to the pod: a filter chain for each port that a service leads to, and one for all others. */
export function virtualInbound(ports: readonly InboundPort[], http2: boolean): Listener {
  const sniffed = ports.filter(({ protocol }) => protocol === 'auto').map(({ port }) => port);
  const listener: Listener = {
    name: 'virtualInbound',
    address: address('0.0.0.0', wellKnown.inbound),
    traffic_direction: 'INBOUND',
    listener_filters: [originalDst()],
    filter_chains: [
      {
        name: 'virtualInbound-blackhole',
        filter_chain_match: { destination_port: wellKnown.inbound },
        filters: [tcpProxy(blackHoleCluster, blackHoleCluster)],
      },
      ...ports.flatMap((port) => chains(port, http2)),
    ],
    default_filter_chain: {
      name: 'virtualInbound',
      filters: [tcpProxy(inboundPassthroughCluster, inboundPassthroughCluster)],
    },
  };
  if (sniffed.length === 0) return listener;
  return {
    ...listener,
    // Only ports of unknown protocol are sniffed: on others a server may speak first.
    listener_filters: [originalDst(), httpInspector(allBut(sniffed))],
    listener_filters_timeout: duration(1000),
    continue_on_listener_filters_timeout: true,
  };
}

function chains(port: InboundPort, http2: boolean): FilterChain[] {
  const name = `0.0.0.0_${port.port}`;
  const match = { destination_port: port.port };
  const cluster = inboundCluster(port.port);
  const http: FilterChain = {
    name,
    filter_chain_match: match,
    filters: [httpManager({ statPrefix: `inbound_${name}`, routes: inboundRoute(port), side: 'inbound' })],
  };
  const tcp: FilterChain = { name, filter_chain_match: match, filters: [tcpProxy(cluster, cluster)] };
  if (isHttp(port.protocol)) return [http];
  if (port.protocol !== 'auto') return [tcp];
  return [{ ...http, filter_chain_match: { ...match, application_protocols: sniffedProtocols(http2) } }, tcp];
}

function inboundRoute({ port }: InboundPort): RouteConfiguration {
  const cluster = inboundCluster(port);
  const route = {
    name: 'default',
    match: { prefix: '/' },
    route: { cluster, timeout: defaults.noTimeout, retry_policy: inboundRetryPolicy },
  };
  return {
    name: cluster,
    virtual_hosts: [{ name: `inbound|http|${port}`, domains: ['*'], routes: [route] }],
    validate_clusters: false,
  };
}

function allBut(ports: readonly number[]): ListenerFilterChainMatchPredicate {
  const rules = ports.map((port) => ({ destination_port_range: { start: port, end: port + 1 } }));
  const any: ListenerFilterChainMatchPredicate = rules.length === 1 ? rules[0]! : { or_match: { rules } };
  return { not_match: any };
}
