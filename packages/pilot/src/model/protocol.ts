/** What is spoken on a service port, as Istio tells it from the port's name or appProtocol. */
export type Protocol =
  | 'HTTP'
  | 'HTTP2'
  | 'GRPC'
  | 'GRPC-Web'
  | 'HTTPS'
  | 'TLS'
  | 'TCP'
  | 'UDP'
  | 'Mongo'
  | 'Redis'
  | 'MySQL'
  | 'auto';

const byName: Readonly<Record<string, Protocol>> = {
  http: 'HTTP',
  http2: 'HTTP2',
  grpc: 'GRPC',
  'grpc-web': 'GRPC-Web',
  https: 'HTTPS',
  tls: 'TLS',
  tcp: 'TCP',
  udp: 'UDP',
  mongo: 'Mongo',
  redis: 'Redis',
  mysql: 'MySQL',
};

/** Names that Kubernetes itself gives a meaning (KEP-3726). */
const byAppProtocol: Readonly<Record<string, Protocol>> = {
  'kubernetes.io/h2c': 'HTTP2',
  'kubernetes.io/ws': 'HTTP',
  'kubernetes.io/wss': 'HTTPS',
};

/** Ports on which the server speaks first, so that sniffing would stall: SMTP, DNS, MySQL, MongoDB. */
const serverFirst = new Set([25, 53, 3306, 27017]);

/** Istio's explicit and automatic protocol selection. */
export function protocolOf(port: {
  name?: string | undefined;
  port: number;
  protocol?: string | undefined;
  appProtocol?: string | undefined;
}): Protocol {
  if (port.protocol === 'UDP') return 'UDP';
  const app = port.appProtocol?.toLowerCase();
  const explicit = app === undefined ? undefined : (byAppProtocol[app] ?? byName[app]);
  const named = explicit ?? byPrefix(port.name?.toLowerCase() ?? '');
  if (named) return named;
  return serverFirst.has(port.port) ? 'TCP' : 'auto';
}

/** `http`, `http-admin`, `grpc-web`, `grpc-web-x`: the name, or what stands before a dash. */
function byPrefix(name: string): Protocol | undefined {
  if (name.startsWith('grpc-web')) return 'GRPC-Web';
  const dash = name.indexOf('-');
  return byName[dash < 0 ? name : name.slice(0, dash)];
}

export function isHttp(protocol: Protocol): boolean {
  return protocol === 'HTTP' || protocol === 'HTTP2' || protocol === 'GRPC' || protocol === 'GRPC-Web';
}

/** Protocols that an upstream must be spoken to in HTTP/2. */
export function isHttp2(protocol: Protocol): boolean {
  return protocol === 'HTTP2' || protocol === 'GRPC' || protocol === 'GRPC-Web';
}

/** What a port counts as for a proxy that may not speak HTTP/2: then HTTP/1.1 is told apart, and the rest goes through as bytes. */
export function spokenBy(protocol: Protocol, http2: boolean): Protocol {
  return !http2 && isHttp2(protocol) ? 'auto' : protocol;
}

/** What the HTTP inspector must have found for HTTP rules to apply. */
export function sniffedProtocols(http2: boolean): string[] {
  return http2 ? ['http/1.1', 'h2c'] : ['http/1.1'];
}

/** Whether routes apply: HTTP by declaration, or possibly so. */
export function isHttpOrAuto(protocol: Protocol): boolean {
  return isHttp(protocol) || protocol === 'auto';
}
