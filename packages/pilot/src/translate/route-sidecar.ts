import type { Route, RouteConfiguration, VirtualHost } from '@flotilla/xds';
import { bySpecificity, covers, isWildcard } from '../model/host.js';
import { isHttpOrAuto } from '../model/protocol.js';
import type { Service } from '../model/snapshot.js';
import { defaults } from './durations.js';
import { authorityCluster, httpProxyRoute, outboundCluster, passthroughCluster } from './names.js';
import { consistentHash } from './route-action.js';
import { defaultRoute, forMesh, httpRoutes } from './route-http.js';
import { policyFor } from './rules.js';
import type { Routing, Scope } from './scope.js';

/**
 * The routes that a sidecar asks for by name: `9080` for all services on a port, `host:9080` for one service whose protocol
 * is sniffed, `http_proxy` for everything by authority. A name that means nothing (any more) gets an empty configuration,
 * so that its listener answers 404 instead of waiting.
 */
export function sidecarRoutes(scope: Scope, name: string): RouteConfiguration {
  if (name === httpProxyRoute) return httpProxy(scope);
  const colon = name.lastIndexOf(':');
  const port = Number(name.slice(colon + 1));
  if (!Number.isInteger(port) || port <= 0) return { name, virtual_hosts: [] };
  const hosts = virtualHosts(scope, port);
  if (colon < 0) return configuration(name, [...hosts, allowAny()], true);
  const host = name.slice(0, colon);
  const sniffed = hosts.find(({ domains }) => domains?.includes(host));
  return configuration(name, sniffed ? [{ ...sniffed, domains: ['*'] }] : [], true);
}

function configuration(name: string, virtual_hosts: VirtualHost[], ignorePort: boolean): RouteConfiguration {
  return {
    name,
    virtual_hosts,
    validate_clusters: false,
    ...(ignorePort ? { ignore_port_in_host_matching: true } : {}),
    max_direct_response_body_size_bytes: 1024 * 1024,
  };
}

/** Virtual hosts for requests to `port`, those of VirtualServices first. Of two that claim a domain the first keeps it. */
function virtualHosts(scope: Scope, port: number): VirtualHost[] {
  const services = [...scope.services.values()].filter((service) =>
    service.ports.some((candidate) => candidate.port === port && isHttpOrAuto(candidate.protocol)),
  );
  const taken = new Set<string>();
  const full = new Set(services.map(({ hostname }) => hostname));
  const hosts: VirtualHost[] = [];
  const add = (name: string, domains: string[], routes: Route[]): void => {
    const free = domains.filter((domain) => !taken.has(domain) && (domain === domains[0] || !full.has(domain)));
    for (const domain of free) taken.add(domain);
    if (free.length > 0) {
      hosts.push({ name: `${name}:${port}`, domains: free, routes, include_request_attempt_count: true });
    }
  };
  const ruled = ruledServices(scope, services);
  for (const rule of scope.meshRoutings) {
    const routes = httpRoutes(scope, rule, { listenPort: port, gateways: forMesh, tls: false });
    if (routes.length === 0) continue;
    for (const service of services) {
      if (ruled.get(service) === rule) add(service.hostname, domainsOf(scope, service), routes);
    }
    for (const host of foreignHosts(scope, rule, services, port)) add(host, [host], routes);
  }
  for (const service of services) add(service.hostname, domainsOf(scope, service), serviceRoutes(scope, service, port));
  return hosts.sort((a, b) => (a.name! < b.name! ? -1 : 1));
}

/** For each service the VirtualService that counts: the oldest that names it, else the one with the narrowest wildcard. */
function ruledServices(scope: Scope, services: readonly Service[]): Map<Service, Routing> {
  const out = new Map<Service, Routing>();
  const rules = scope.meshRoutings.filter(({ spec }) => spec.http?.length);
  const wild = rules
    .flatMap((rule) => rule.hosts.filter(isWildcard).map((host) => ({ host, rule })))
    .sort((a, b) => bySpecificity(a.host, b.host));
  for (const service of services) {
    const named = rules.find(({ hosts }) => hosts.includes(service.hostname));
    const rule = named ?? wild.find(({ host }) => covers(host, service.hostname))?.rule;
    if (rule) out.set(service, rule);
  }
  return out;
}

/** Hosts of a rule that are no service. Istio serves them on port 80, and beside a service that the same rule names. */
function foreignHosts(scope: Scope, rule: Routing, services: readonly Service[], port: number): string[] {
  const foreign = rule.hosts.filter((host) => !scope.service(host) && !(isWildcard(host) && coversAny(host, scope)));
  const beside = services.some(({ hostname }) => rule.hosts.some((host) => covers(host, hostname)));
  return port === 80 || beside ? foreign : [];
}

function coversAny(host: string, scope: Scope): boolean {
  for (const hostname of scope.services.keys()) if (covers(host, hostname)) return true;
  return false;
}

function serviceRoutes(scope: Scope, service: Service, port: number): Route[] {
  const hash = consistentHash(policyFor(scope.rule(service), undefined, port).loadBalancer?.consistentHash);
  return [defaultRoute(outboundCluster(port, '', service.hostname), hash && [hash])];
}

/** Every spelling by which pods of the scope's namespace reach a service. */
function domainsOf(scope: Scope, service: Service): string[] {
  const { name, namespace, hostname } = service;
  const names = [
    hostname,
    ...(namespace === scope.namespace ? [name] : []),
    `${name}.${namespace}.svc`,
    `${name}.${namespace}`,
  ];
  // Names of single pods: a-0.db.default.svc.cluster.local.
  const withPods = service.headless ? [...names, ...names.map((domain) => `*.${domain}`)] : names;
  return service.clusterIP === '' ? withPods : [...withPods, service.clusterIP];
}

/** What is no service goes where the client wanted. */
function allowAny(cluster: string = passthroughCluster): VirtualHost {
  const name = 'allow_any';
  const route = { name, match: { prefix: '/' }, route: { cluster, timeout: defaults.noTimeout } };
  return { name, domains: ['*'], routes: [route], include_request_attempt_count: true };
}

/**
 * Through HTTP_PROXY the connection's own destination is the proxy: passing on to that would go round for ever. A proxy
 * that cannot dial the authority says so.
 */
function unknownAuthority(scope: Scope): VirtualHost {
  if (scope.headerDst) return allowAny(authorityCluster);
  const name = 'block_all';
  const text = 'no such service in the mesh, and this proxy cannot dial other hosts through HTTP_PROXY\n';
  const direct_response = { status: 502, body: { inline_string: text } };
  return { name, domains: ['*'], routes: [{ name, match: { prefix: '/' }, direct_response }] };
}

/** All ports at once: an authority without a port means 80. */
function httpProxy(scope: Scope): RouteConfiguration {
  const ports = new Set<number>([80]);
  for (const { ports: all } of scope.services.values()) {
    for (const { port, protocol } of all) if (isHttpOrAuto(protocol)) ports.add(port);
  }
  const hosts = [...ports]
    .sort((a, b) => a - b)
    .flatMap((port) =>
      virtualHosts(scope, port).map((host) => ({ ...host, domains: host.domains!.flatMap((d) => withPort(d, port)) })),
    );
  return configuration(httpProxyRoute, [...hosts, unknownAuthority(scope)], false);
}

function withPort(domain: string, port: number): string[] {
  const full = `${domain}:${port}`;
  // Envoy knows no wildcard with a port after it.
  if (isWildcard(domain)) return port === 80 ? [domain] : [];
  return port === 80 ? [domain, full] : [full];
}
