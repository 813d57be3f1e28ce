import type { FilterChain, Listener } from '@flotilla/xds';
import { isHttp } from '../model/protocol.js';
import type { ServiceTarget } from '../model/proxy.js';
import { type GatewayServer, httpRouteName, serverKind } from './gateway-servers.js';
import { httpManager } from './http-manager.js';
import { address } from './listener-sidecar.js';
import { gatewayTcpRoutes } from './route-tcp.js';
import type { Scope } from './scope.js';

/**
 * One listener for every port that the selected Gateways open. The HTTP ports of the proxy's own services are open from the
 * start and answer 404: a user who has no Gateway yet is told so by HTTP, where Istio would refuse the connection.
 */
export function gatewayListeners(
  scope: Scope,
  servers: readonly GatewayServer[],
  targets: readonly ServiceTarget[],
): Listener[] {
  const byPort = new Map<number, GatewayServer[]>();
  for (const { service, servicePort, port } of targets) {
    const declared = service.ports.find((candidate) => candidate.port === servicePort)?.protocol;
    if (declared && isHttp(declared)) byPort.set(port, []);
  }
  for (const server of servers) {
    const group = byPort.get(server.port);
    if (group) group.push(server);
    else byPort.set(server.port, [server]);
  }
  const listeners: Listener[] = [];
  for (const [port, group] of [...byPort].sort(([a], [b]) => a - b)) {
    const chains = chainsOf(scope, port, group);
    if (chains.length === 0) continue;
    listeners.push({
      name: `0.0.0.0_${port}`,
      address: address('0.0.0.0', port),
      traffic_direction: 'OUTBOUND',
      filter_chains: chains,
    });
  }
  return listeners;
}

/** The oldest Gateway on a port decides what is spoken there; others of another kind are turned away. */
function chainsOf(scope: Scope, port: number, group: readonly GatewayServer[]): FilterChain[] {
  const kind = group[0] ? serverKind(group[0]) : 'http';
  for (const server of group) {
    if (serverKind(server) !== kind) {
      const message = `port ${server.number} is taken by a server of another protocol in an older Gateway; left out`;
      scope.problems.add('Gateway', server, message);
    }
  }
  if (kind === 'http') {
    const statPrefix = `outbound_0.0.0.0_${port}`;
    return [{ filters: [httpManager({ statPrefix, routes: httpRouteName(port), side: 'gateway' })] }];
  }
  if (kind === 'tcp') return gatewayTcpRoutes(scope, group[0]!);
  for (const server of group) {
    const message = `${server.server.port.protocol} servers are not supported yet; port ${server.number} is not opened`;
    scope.problems.add('Gateway', server, message);
  }
  return [];
}
