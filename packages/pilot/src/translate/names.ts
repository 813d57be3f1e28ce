/** Names that Istio gives to what it generates; people know them from `istioctl proxy-config`. */

export const passthroughCluster = 'PassthroughCluster';
/** To the authority of a request, for programs that use HTTP_PROXY: their connections lead to the proxy itself. */
export const authorityCluster = 'HttpProxyPassthroughCluster';
export const blackHoleCluster = 'BlackHoleCluster';
export const inboundPassthroughCluster = 'InboundPassthroughCluster';

export const ports = { outbound: 15001, inbound: 15006, httpProxy: 15007 } as const;

/** Route of the listener for programs that use HTTP_PROXY. */
export const httpProxyRoute = 'http_proxy';

/** The gateway name that stands for all sidecars. */
export const meshGateway = 'mesh';

/** `outbound|9080|v1|reviews.default.svc.cluster.local` */
export function outboundCluster(port: number, subset: string, hostname: string): string {
  return `outbound|${port}|${subset}|${hostname}`;
}

/** `inbound|9080||` */
export function inboundCluster(port: number): string {
  return `inbound|${port}||`;
}

export interface OutboundClusterName {
  readonly port: number;
  readonly subset: string;
  readonly hostname: string;
}

/** The parts of an outbound cluster's name, or undefined for another name. */
export function parseOutboundCluster(name: string): OutboundClusterName | undefined {
  const [direction, port, subset, hostname, ...rest] = name.split('|');
  if (direction !== 'outbound' || !hostname || rest.length > 0) return undefined;
  return { port: Number(port), subset: subset ?? '', hostname };
}

/** Filters by Envoy's registered names. */
export const filters = {
  httpConnectionManager: 'envoy.filters.network.http_connection_manager',
  tcpProxy: 'envoy.filters.network.tcp_proxy',
  router: 'envoy.filters.http.router',
  fault: 'envoy.filters.http.fault',
  cors: 'envoy.filters.http.cors',
  originalDst: 'envoy.filters.listener.original_dst',
  proxyProtocol: 'envoy.filters.listener.proxy_protocol',
  httpInspector: 'envoy.filters.listener.http_inspector',
  tlsInspector: 'envoy.filters.listener.tls_inspector',
  fileAccessLog: 'envoy.access_loggers.file',
  previousHosts: 'envoy.retry_host_predicates.previous_hosts',
  httpProtocolOptions: 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
} as const;

/** `/apis/networking.istio.io/v1/namespaces/<ns>/<kind>/<name>`: how metadata refers to the rule behind a resource. */
export function configPath(
  kind: 'virtual-service' | 'destination-rule',
  rule: { namespace: string; name: string },
): string {
  return `/apis/networking.istio.io/v1/namespaces/${rule.namespace}/${kind}/${rule.name}`;
}
