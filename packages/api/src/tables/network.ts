import type * as core from '../gen/core-v1.js';
import type * as discovery from '../gen/discovery-v1.js';
import type * as networking from '../gen/networking-v1.js';
import {
  ageColumn,
  type Cell,
  column,
  labelsText,
  loadBalancerText,
  nameColumn,
  nameOf,
  none,
  objectAge,
  type Printer,
  shortList,
  wide,
} from './columns.js';

function externalAddress({ spec, status }: core.Service): string {
  const extra = spec.externalIPs ?? [];
  switch (spec.type) {
    case 'LoadBalancer': {
      const own = loadBalancerText(status?.loadBalancer?.ingress);
      return [...(own === '' ? [] : own.split(',')), ...extra].join(',') || '<pending>';
    }
    case 'ExternalName':
      return spec.externalName ?? '';
    default:
      return extra.join(',') || none;
  }
}

function portsText(ports: readonly core.ServicePort[] | undefined): string {
  const texts = (ports ?? []).map(
    ({ port, nodePort, protocol }) => `${port}${nodePort ? `:${nodePort}` : ''}/${protocol}`,
  );
  return texts.join(',') || none;
}

export const servicePrinter: Printer = {
  columns: [
    nameColumn,
    column('Type', 'string', 'How the service is exposed.'),
    column('Cluster-IP', 'string', 'The address of the service inside the cluster.'),
    column('External-IP', 'string', 'The addresses of the service outside the cluster.'),
    column('Port(s)', 'string', 'The ports of the service.'),
    ageColumn,
    wide('Selector', 'string', 'The labels by which pods are found.'),
  ],
  cells: (service: core.Service, now): Cell[] => [
    nameOf(service),
    service.spec.type ?? '',
    service.spec.clusterIPs?.[0] || service.spec.clusterIP || none,
    externalAddress(service),
    portsText(service.spec.ports),
    objectAge(service, now),
    labelsText(service.spec.selector),
  ],
};

function hostPort(ip: string, port: number): string {
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`;
}

function endpointsText({ subsets }: core.Endpoints): string {
  if (!subsets || subsets.length === 0) return none;
  const all = subsets.flatMap(({ ports, addresses }) =>
    ports && ports.length > 0
      ? ports.flatMap(({ port }) => (addresses ?? []).map(({ ip }) => hostPort(ip, port)))
      : (addresses ?? []).map(({ ip }) => ip),
  );
  return shortList(all);
}

export const endpointsPrinter: Printer = {
  columns: [nameColumn, column('Endpoints', 'string', 'Addresses and ports that are ready.'), ageColumn],
  cells: (endpoints: core.Endpoints, now): Cell[] => [
    nameOf(endpoints),
    endpointsText(endpoints),
    objectAge(endpoints, now),
  ],
};

export const endpointSlicePrinter: Printer = {
  columns: [
    nameColumn,
    column('AddressType', 'string', 'The kind of address that the slice carries.'),
    column('Ports', 'string', 'The ports of the endpoints.'),
    column('Endpoints', 'string', 'The addresses of the endpoints.'),
    ageColumn,
  ],
  cells: (slice: discovery.EndpointSlice, now): Cell[] => [
    nameOf(slice),
    slice.addressType,
    shortList((slice.ports ?? []).map(({ port, name }) => (port === undefined ? (name ?? '*') : String(port)))) ||
      '<unset>',
    shortList((slice.endpoints ?? []).flatMap(({ addresses }) => addresses)) || '<unset>',
    objectAge(slice, now),
  ],
};

function hostsText(rules: readonly networking.IngressRule[] | undefined): string {
  const all = rules ?? [];
  const shown: string[] = [];
  for (const { host } of all) {
    if (shown.length === 3) return `${shown.join(',')} + ${all.length - 3} more...`;
    if (host) shown.push(host);
  }
  return shown.join(',') || '*';
}

export const ingressPrinter: Printer = {
  columns: [
    nameColumn,
    column('Class', 'string', 'The name of the IngressClass resource that should be used for additional configuration'),
    column('Hosts', 'string', 'Hosts that incoming requests are matched against before the ingress rule'),
    column('Address', 'string', 'Address is a list containing ingress points for the load-balancer'),
    column('Ports', 'string', 'Ports of TLS configurations that open'),
    ageColumn,
  ],
  cells: (ingress: networking.Ingress, now): Cell[] => [
    nameOf(ingress),
    ingress.spec.ingressClassName ?? none,
    hostsText(ingress.spec.rules),
    loadBalancerText(ingress.status?.loadBalancer?.ingress),
    (ingress.spec.tls?.length ?? 0) > 0 ? '80, 443' : '80',
    objectAge(ingress, now),
  ],
};

function parametersText(parameters: networking.IngressClassParametersReference | undefined): string {
  if (!parameters) return none;
  return `${parameters.kind}${parameters.apiGroup ? `.${parameters.apiGroup}` : ''}/${parameters.name}`;
}

export const ingressClassPrinter: Printer = {
  columns: [
    nameColumn,
    column('Controller', 'string', 'Controller that is responsible for handling this class'),
    column('Parameters', 'string', 'A reference to a resource with additional parameters'),
    ageColumn,
  ],
  cells: (ingressClass: networking.IngressClass, now): Cell[] => [
    nameOf(ingressClass),
    ingressClass.spec?.controller ?? '',
    parametersText(ingressClass.spec?.parameters),
    objectAge(ingressClass, now),
  ],
};
