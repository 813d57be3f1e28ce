import type { Route, RouteConfiguration, VirtualHost } from '@flotilla/xds';
import { intersection } from '../model/host.js';
import { type GatewayServer, httpRouteName, httpsRouteName, serverKind } from './gateway-servers.js';
import { httpRoutes } from './route-http.js';
import { isCatchAll } from './route-match.js';
import type { Routing, Scope } from './scope.js';

/** The routes that a gateway asks for by name: `http.8080` for all HTTP servers of a port, `https.…` for one HTTPS server. */
export function gatewayRoutes(scope: Scope, servers: readonly GatewayServer[], name: string): RouteConfiguration {
  const serving = servers.filter((server) => routeNameOf(server) === name);
  const hosts = virtualHosts(scope, serving);
  if (serving.length > 0 && hosts.length === 0) {
    // Nothing is bound to the servers: 404, as Istio's "blackhole" host does.
    hosts.push({ name: `blackhole:${serving[0]!.number}`, domains: ['*'] });
  }
  return {
    name,
    virtual_hosts: hosts,
    validate_clusters: false,
    ignore_port_in_host_matching: true,
    max_direct_response_body_size_bytes: 1024 * 1024,
  };
}

export function routeNameOf(server: GatewayServer): string | undefined {
  const kind = serverKind(server);
  return kind === 'http' ? httpRouteName(server.port) : kind === 'https' ? httpsRouteName(server) : undefined;
}

/** Routes of all VirtualServices bound to the servers, by host; those of the oldest first, those that take everything last. */
function virtualHosts(scope: Scope, servers: readonly GatewayServer[]): VirtualHost[] {
  const hosts = new Map<string, VirtualHost & { routes: Route[] }>();
  const hostFor = (domain: string, number: number): VirtualHost & { routes: Route[] } => {
    let host = hosts.get(domain);
    if (!host) {
      host = { name: `${domain}:${number}`, domains: [domain], routes: [], include_request_attempt_count: true };
      hosts.set(domain, host);
    }
    return host;
  };
  for (const server of servers) {
    const redirect = server.server.tls?.httpsRedirect === true;
    for (const rule of scope.routings) {
      if (!rule.gateways.includes(server.gateway)) continue;
      const domains = boundHosts(rule, server);
      if (domains.length === 0) continue;
      const options = {
        listenPort: server.number,
        gateways: new Set([server.gateway]),
        tls: serverKind(server) === 'https',
      };
      const routes = httpRoutes(scope, rule, options);
      if (routes.length === 0) continue;
      for (const domain of domains) hostFor(domain, server.number).routes.push(...routes);
    }
    if (redirect) for (const { host } of server.hosts) hostFor(host, server.number).require_tls = 'ALL';
  }
  return [...hosts.values()].map(sorted).sort((a, b) => (a.name! < b.name! ? -1 : 1));
}

/** The hosts that both the rule and the server name, in the narrower of the two spellings. */
function boundHosts(rule: Routing, server: GatewayServer): string[] {
  const bound = new Set<string>();
  for (const { host, namespace } of server.hosts) {
    if (namespace !== undefined && namespace !== rule.namespace) continue;
    for (const wanted of rule.hosts) {
      const both = intersection(host, wanted);
      if (both !== undefined) bound.add(both);
    }
  }
  return [...bound];
}

/** Several rules may add routes to a host: one that takes everything must not hide those of a younger rule. */
function sorted(host: VirtualHost & { routes: Route[] }): VirtualHost {
  const [narrow, all]: [Route[], Route[]] = [[], []];
  for (const route of host.routes) (isCatchAll(route.match!) ? all : narrow).push(route);
  return { ...host, routes: [...narrow, ...all] };
}
