import type { istio } from '@flotilla/api';
import type { CidrRange, FilterChain } from '@flotilla/xds';
import { covers } from '../model/host.js';
import { type Service, type ServicePort, selects } from '../model/snapshot.js';
import type { GatewayServer } from './gateway-servers.js';
import { tcpProxy } from './http-manager.js';
import { meshGateway } from './names.js';
import { destinationCluster, type Place } from './route-action.js';
import { resolveGateway, type Routing, type Scope } from './scope.js';

/** Filter chains for one TCP service port: the `tcp` routes of the VirtualService that names the service, else its cluster. */
export function tcpRoutes(scope: Scope, service: Service, port: ServicePort, cluster: string): FilterChain[] {
  const rule = scope.meshRoutings.find(
    ({ spec, hosts }) => spec.tcp?.length && hosts.some((host) => covers(host, service.hostname)),
  );
  const chains = rule ? chainsOf(scope, rule, port.port, meshGateway) : [];
  // A chain without conditions takes the rest; two of them would contradict each other.
  if (chains.some(({ filter_chain_match }) => filter_chain_match === undefined)) return chains;
  return [...chains, { filters: [tcpProxy(cluster, cluster)] }];
}

/** Filter chains of a gateway's TCP server; none when no VirtualService is bound to it. */
export function gatewayTcpRoutes(scope: Scope, server: GatewayServer): FilterChain[] {
  const bound = scope.routings.filter(({ spec, gateways }) => spec.tcp?.length && gateways.includes(server.gateway));
  for (const rule of bound) {
    const chains = chainsOf(scope, rule, server.number, server.gateway);
    if (chains.length > 0) return chains;
  }
  return [];
}

function chainsOf(scope: Scope, rule: Routing, port: number, gateway: string): FilterChain[] {
  const place: Place = { scope, namespace: rule.namespace, listenPort: port };
  const chains: FilterChain[] = [];
  for (const tcp of rule.spec.tcp ?? []) {
    const filters = [tcpProxy(`${rule.name}.${rule.namespace}`, clustersOf(place, tcp))];
    const matches = tcp.match?.length ? tcp.match : [undefined];
    for (const match of matches) {
      if (match && !concernsProxy(scope, rule, match, port, gateway)) continue;
      const ranges = match?.destinationSubnets?.map(cidr) ?? [];
      if (ranges.length === 0) return [...chains, { filters }];
      chains.push({ filter_chain_match: { prefix_ranges: ranges }, filters });
    }
  }
  return chains;
}

function concernsProxy(
  scope: Scope,
  rule: Routing,
  match: istio.L4MatchAttributes,
  port: number,
  gateway: string,
): boolean {
  if (match.port && match.port !== port) return false;
  if (match.gateways?.length) return match.gateways.some((name) => resolveGateway(name, rule.namespace) === gateway);
  if (match.sourceNamespace && match.sourceNamespace !== scope.namespace) return false;
  return selects(match.sourceLabels, scope.labels);
}

function clustersOf(place: Place, tcp: istio.TCPRoute): string | { name: string; weight: number }[] {
  const destinations = tcp.route ?? [];
  const [only] = destinations;
  if (destinations.length === 1 && only) return destinationCluster(place, only.destination);
  return destinations
    .filter(({ weight }) => (weight ?? 0) > 0)
    .map(({ destination, weight }) => ({ name: destinationCluster(place, destination), weight: weight! }));
}

/** `10.0.0.0/8`, or one address. */
function cidr(text: string): CidrRange {
  const [address_prefix = '', length] = text.split('/');
  return { address_prefix, prefix_len: length === undefined ? 32 : Number(length) };
}
