import type { istio } from '@flotilla/api';
import { resolveHost } from '../model/host.js';
import type { ServiceTarget } from '../model/proxy.js';
import { selects } from '../model/snapshot.js';
import type { Scope } from './scope.js';

/** One server block of a Gateway, as a proxy serves it. */
export interface GatewayServer {
  /** `namespace/name` of the Gateway. */
  readonly gateway: string;
  readonly namespace: string;
  readonly name: string;
  readonly server: istio.Server;
  /** The port number that rules match on: the server's. */
  readonly number: number;
  /** The port that the proxy listens on. */
  readonly port: number;
  readonly hosts: readonly ServerHost[];
}

export interface ServerHost {
  readonly host: string;
  /** Namespace whose VirtualServices may bind: a name, or undefined for all. */
  readonly namespace: string | undefined;
}

/**
 * The servers that a gateway proxy serves, those of the oldest Gateway first. A port that one of the proxy's own services
 * has is that service's target port in the pod (80 → 8080); any other is taken as it is (Istio, MergeGateways).
 */
export function gatewayServers(scope: Scope, targets: readonly ServiceTarget[]): GatewayServer[] {
  const servers: GatewayServer[] = [];
  for (const { name, namespace, spec } of scope.config.gateways) {
    if (!selects(spec.selector, scope.labels)) continue;
    for (const server of spec.servers ?? []) {
      const { number } = server.port;
      servers.push({
        gateway: `${namespace}/${name}`,
        namespace,
        name,
        server,
        number,
        port: targets.find(({ servicePort }) => servicePort === number)?.port ?? number,
        hosts: server.hosts.map((host) => serverHost(host, namespace, scope.config.domain)),
      });
    }
  }
  return servers;
}

/** `host`, `namespace/host`, `./host`, `any-namespace/host`. */
function serverHost(text: string, namespace: string, domain: string): ServerHost {
  const slash = text.indexOf('/');
  const host = resolveHost(text.slice(slash + 1), namespace, domain);
  const from = slash < 0 ? '*' : text.slice(0, slash);
  return { host, namespace: from === '*' ? undefined : from === '.' ? namespace : from };
}

/** What the server does with a connection. */
export function serverKind({ server }: GatewayServer): 'http' | 'https' | 'tcp' | 'tls' {
  const protocol = server.port.protocol.toUpperCase();
  if (protocol === 'HTTP' || protocol === 'HTTP2' || protocol === 'GRPC' || protocol === 'GRPC-WEB') return 'http';
  if (protocol === 'HTTPS' && server.tls?.mode !== 'PASSTHROUGH' && server.tls?.mode !== 'AUTO_PASSTHROUGH')
    return 'https';
  if (protocol === 'TCP' || protocol === 'MONGO') return 'tcp';
  return 'tls';
}

/** The RDS name of a plain HTTP port: `http.8080`. */
export function httpRouteName(port: number): string {
  return `http.${port}`;
}

/** The RDS name of an HTTPS server: `https.<port>.<port name>.<gateway>.<namespace>`. */
export function httpsRouteName({ number, server, name, namespace }: GatewayServer): string {
  return `https.${number}.${server.port.name}.${name}.${namespace}`;
}
