import { duration, type FilterChain, type Listener } from '@flotilla/xds';
import { isHttp, sniffedProtocols, spokenBy } from '../model/protocol.js';
import type { Interception } from '../model/proxy.js';
import type { Service, ServicePort } from '../model/snapshot.js';
import { defaults } from './durations.js';
import { httpManager, tcpProxy } from './http-manager.js';
import { httpInspector, originalDestination, tlsInspector } from './listener-filters.js';
import { blackHoleCluster, httpProxyRoute, outboundCluster, passthroughCluster, ports } from './names.js';
import type { Scope } from './scope.js';
import { tcpRoutes } from './route-tcp.js';

/** How long an unlabelled port waits for its client's first bytes before it counts as "not HTTP": the server may speak first. */
const sniffTimeout = duration(1000);
const anyAddress = '0.0.0.0';

/** Everything a sidecar listens to on behalf of its pod's outgoing connections. */
export function outboundListeners(scope: Scope): Listener[] {
  const http = new Map<number, Listener>();
  const others: Listener[] = [];
  for (const service of scope.services.values()) {
    for (const port of service.ports) {
      if (port.protocol === 'UDP' || service.externalName !== undefined) continue;
      if (isHttp(spokenBy(port.protocol, scope.http2)))
        http.set(port.port, http.get(port.port) ?? httpListener(port.port, scope.http2));
      else if (service.clusterIP !== '') others.push(serviceListener(scope, service, port));
      // A headless service has no address of its own: its pods are reached through the passthrough cluster.
    }
  }
  return [virtualOutbound(scope.interception), httpProxyListener(), ...http.values(), ...others];
}

/** Takes every captured connection and hands it to the listener of its original destination, or lets it pass. */
function virtualOutbound(interception: Interception): Listener {
  return {
    name: 'virtualOutbound',
    address: address(anyAddress, ports.outbound),
    traffic_direction: 'OUTBOUND',
    use_original_dst: true,
    listener_filters: [originalDestination(interception)],
    filter_chains: [
      {
        // A connection to the proxy's own port would come back for ever.
        name: 'virtualOutbound-blackhole',
        filter_chain_match: { destination_port: ports.outbound },
        filters: [tcpProxy(blackHoleCluster, blackHoleCluster)],
      },
    ],
    default_filter_chain: {
      name: 'virtualOutbound-catchall-tcp',
      filters: [tcpProxy(passthroughCluster, passthroughCluster)],
    },
  };
}

/** All HTTP services of a port: the virtual host decides. What turns out not to be HTTP passes. */
function httpListener(port: number, http2: boolean): Listener {
  const name = `${anyAddress}_${port}`;
  return {
    name,
    address: address(anyAddress, port),
    traffic_direction: 'OUTBOUND',
    bind_to_port: false,
    listener_filters: [tlsInspector(), httpInspector()],
    // A connection may be opened long before its first request: no hurry to call it "not HTTP".
    listener_filters_timeout: defaults.noTimeout,
    continue_on_listener_filters_timeout: true,
    filter_chains: [
      {
        filter_chain_match: { transport_protocol: 'raw_buffer', application_protocols: sniffedProtocols(http2) },
        filters: [httpManager({ statPrefix: `outbound_${name}`, routes: String(port), side: 'outbound' })],
      },
    ],
    default_filter_chain: {
      name: 'PassthroughFilterChain',
      filters: [tcpProxy(passthroughCluster, passthroughCluster)],
    },
  };
}

/** One service port that is not declared to be HTTP. */
function serviceListener(scope: Scope, service: Service, port: ServicePort): Listener {
  const name = `${service.clusterIP}_${port.port}`;
  const cluster = outboundCluster(port.port, '', service.hostname);
  const chains: FilterChain[] = tcpRoutes(scope, service, port, cluster);
  const listener: Listener = {
    name,
    address: address(service.clusterIP, port.port),
    traffic_direction: 'OUTBOUND',
    bind_to_port: false,
    filter_chains: chains,
  };
  if (spokenBy(port.protocol, scope.http2) !== 'auto') return listener;
  return {
    ...listener,
    listener_filters: [tlsInspector(), httpInspector()],
    listener_filters_timeout: sniffTimeout,
    continue_on_listener_filters_timeout: true,
    filter_chains: [
      {
        filter_chain_match: { transport_protocol: 'raw_buffer', application_protocols: sniffedProtocols(scope.http2) },
        filters: [
          httpManager({
            statPrefix: `outbound_${name}`,
            routes: `${service.hostname}:${port.port}`,
            side: 'outbound',
          }),
        ],
      },
      ...chains,
    ],
  };
}

/** For programs that are told of their proxy by HTTP_PROXY, because their connections cannot be captured. */
function httpProxyListener(): Listener {
  return {
    name: httpProxyRoute,
    address: address(anyAddress, ports.httpProxy),
    traffic_direction: 'OUTBOUND',
    filter_chains: [
      {
        filters: [httpManager({ statPrefix: `outbound_${httpProxyRoute}`, routes: httpProxyRoute, side: 'outbound' })],
      },
    ],
  };
}

export function address(host: string, port: number): NonNullable<Listener['address']> {
  return { socket_address: { address: host, port_value: port } };
}
