import { quote } from '../../errors.js';
import type * as istio from '../../gen/istio.js';
import { ipFamily } from '../../names.js';
import { type Complaints, exportTo, labels, port, subnet, wildcardDomain } from './primitives.js';
import { destinationsComplaints, gatewayNames, httpRouteComplaints } from './routes.js';

/** What Istio's webhook says of a VirtualService. */
export function virtualServiceComplaints(service: istio.VirtualService): Complaints {
  const { hosts = [], gateways = [], http = [], tls = [], tcp = [] } = service.spec ?? {};
  const isDelegate = hosts.length === 0;
  const complaints: Complaints = [];
  if (isDelegate) {
    const no = 'delegate virtual service must have no';
    if (gateways.length > 0) complaints.push(`${no} gateways specified`);
    if (tls.length > 0) complaints.push(`${no} tls route specified`);
    if (tcp.length > 0) complaints.push(`${no} tcp route specified`);
  }
  complaints.push(...gatewayNames(gateways));
  complaints.push(...hostsComplaints(hosts, gateways.length === 0 || gateways.includes('mesh')));
  if (http.length + tls.length + tcp.length === 0) {
    complaints.push('http, tcp or tls must be provided in virtual service');
  }
  return [
    ...complaints,
    ...http.flatMap((route) => httpRouteComplaints(route, isDelegate)),
    ...tls.flatMap((route) => tlsComplaints(route, hosts)),
    ...tcp.flatMap(tcpComplaints),
    ...exportTo(service.spec?.exportTo, service.metadata.namespace ?? ''),
  ];
}

function hostsComplaints(hosts: readonly string[], inMesh: boolean): Complaints {
  const complaints = hosts.flatMap((host) => {
    const own = ipFamily(host) ? [] : wildcardDomain(host);
    if (own.length > 0 || !inMesh || host !== '*') return own;
    return ['wildcard host * is not allowed for virtual services bound to the mesh gateway'];
  });
  if (complaints.length > 0) return complaints;
  return hosts.flatMap((a, i) =>
    hosts
      .slice(i + 1)
      .filter((b) => overlap(a, b))
      .map((b) => `duplicate hosts in virtual service: ${a} & ${b}`),
  );
}

/** Whether some name is matched by both: `*.example.com` and `a.example.com`. */
function overlap(a: string, b: string): boolean {
  if (a.startsWith('*') && b.startsWith('*')) {
    const [short, long] = a.length < b.length ? [a, b] : [b, a];
    return long.endsWith(short.slice(1));
  }
  if (a.startsWith('*')) return b.endsWith(a.slice(1));
  return b.startsWith('*') ? a.endsWith(b.slice(1)) : a === b;
}

/** Whether `host` covers everything that `name` does. */
function covers(host: string, name: string): boolean {
  return host.startsWith('*') ? name.replace(/^\*/, '').endsWith(host.slice(1)) : host === name;
}

function tlsComplaints(route: istio.TLSRoute, hosts: readonly string[]): Complaints {
  const { match, route: routes = [] } = route;
  const complaints = match.length === 0 ? ['TLS route must have at least one match condition'] : [];
  for (const one of match) {
    if (!one.sniHosts?.length) complaints.push('TLS match must have at least one SNI host');
    for (const sni of one.sniHosts ?? []) complaints.push(...sniComplaints(sni, hosts));
    complaints.push(...(one.destinationSubnets ?? []).flatMap(subnet));
    if (one.port) complaints.push(...port(one.port));
    complaints.push(...labels(one.sourceLabels), ...gatewayNames(one.gateways));
  }
  if (routes.length === 0) complaints.push('TLS route is required');
  return [...complaints, ...destinationsComplaints(routes)];
}

function sniComplaints(sni: string, hosts: readonly string[]): Complaints {
  if (ipFamily(sni)) return [];
  const complaints = wildcardDomain(sni);
  if (complaints.length > 0 || hosts.some((host) => covers(host, sni))) return complaints;
  const all = hosts.join(', ');
  return [`SNI host ${quote(sni)} is not a compatible subset of any of the virtual service hosts: [${all}]`];
}

function tcpComplaints(route: istio.TCPRoute): Complaints {
  const complaints = (route.match ?? []).flatMap((match) => [
    ...(match.destinationSubnets ?? []).flatMap(subnet),
    ...(match.port ? port(match.port) : []),
    ...labels(match.sourceLabels),
    ...gatewayNames(match.gateways),
  ]);
  const routes = route.route ?? [];
  if (routes.length === 0) complaints.push('TCP route is required');
  return [...complaints, ...destinationsComplaints(routes)];
}
