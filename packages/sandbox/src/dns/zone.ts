import type { ServiceEndpoint, ServiceView } from '../services/model.js';

/** `A`, `SRV`, …: types that we do not have for a name get an empty answer. */
export type RecordType = string;

export type DnsRecord =
  | { name: string; type: 'A'; data: string }
  | { name: string; type: 'CNAME'; data: string }
  | { name: string; type: 'PTR'; data: string }
  | { name: string; type: 'TXT'; data: string }
  | { name: string; type: 'SRV'; data: { priority: number; weight: number; port: number; target: string } };

export type ZoneAnswer =
  /** Not of our zone: somebody else must say. */
  | { kind: 'foreign' }
  | { kind: 'nxdomain' }
  /** An empty `answers` says that the name exists without such a record. `alias`: to be resolved in turn. */
  | { kind: 'records'; answers: DnsRecord[]; additionals: DnsRecord[]; alias?: string };

/** What the zone is read from; `service` must be fast. */
export interface ZoneData {
  service(namespace: string, name: string): ServiceView | undefined;
  /** The service that has this cluster IP. */
  serviceByIP(ip: string): ServiceView | undefined;
  hasNamespace(name: string): boolean;
}

const notThere: ZoneAnswer = { kind: 'nxdomain' };

/**
 * Answers one question as Kubernetes' DNS specification 1.1.0 has it. `name` in lower case and without the final dot.
 */
export function answer(data: ZoneData, domain: string, name: string, type: RecordType): ZoneAnswer {
  if (name.endsWith('.in-addr.arpa')) return reverse(data, domain, name, type);
  if (name !== domain && !name.endsWith(`.${domain}`)) return { kind: 'foreign' };
  const labels = name === domain ? [] : name.slice(0, -domain.length - 1).split('.');
  const kind = labels.at(-1);
  if (labels.length === 0) return records([]);
  if (name === `dns-version.${domain}`) return records(type === 'TXT' ? [{ name, type: 'TXT', data: '1.1.0' }] : []);
  if (kind === 'pod') return podName(name, labels.slice(0, -1), type);
  if (kind !== 'svc') return notThere;
  const namespace = labels.at(-2);
  if (namespace === undefined) return records([]);
  if (labels.length === 2) return data.hasNamespace(namespace) ? records([]) : notThere;
  const service = data.service(namespace, labels.at(-3)!);
  if (!service) return notThere;
  return ofService(service, domain, name, labels.slice(0, -3), type);
}

function records(answers: DnsRecord[], additionals: DnsRecord[] = []): ZoneAnswer {
  return { kind: 'records', answers, additionals };
}

/** `1-2-3-4.<namespace>.pod`: the address is in the name. */
function podName(name: string, labels: string[], type: RecordType): ZoneAnswer {
  const ip = labels.length === 2 ? labels[0]!.replaceAll('-', '.') : '';
  if (!/^\d{1,3}(\.\d{1,3}){3}$/.test(ip)) return labels.length < 2 ? records([]) : notThere;
  return records(type === 'A' ? [{ name, type: 'A', data: ip }] : []);
}

function ofService(service: ServiceView, domain: string, name: string, labels: string[], type: RecordType): ZoneAnswer {
  const base = `${service.name}.${service.namespace}.svc.${domain}`;
  if (service.externalName !== undefined) {
    if (labels.length > 0) return notThere;
    const alias = service.externalName.toLowerCase().replace(/\.$/, '');
    return { kind: 'records', answers: [{ name, type: 'CNAME', data: alias }], additionals: [], alias };
  }
  const [first = '', second = ''] = labels;
  if (labels.length === 0) return serviceItself(service, name, base, type);
  if (labels.length === 2 && first.startsWith('_') && second.startsWith('_')) {
    return portOf(service, name, base, first.slice(1), second.slice(1), type);
  }
  if (labels.length === 1 && service.clusterIP === undefined) {
    const hosts = visible(service).filter((endpoint) => hostLabel(endpoint) === first);
    if (hosts.length === 0) return notThere;
    return records(type === 'A' ? hosts.map(({ ip }) => ({ name, type: 'A', data: ip })) : []);
  }
  return notThere;
}

function serviceItself(service: ServiceView, name: string, base: string, type: RecordType): ZoneAnswer {
  const headless = service.clusterIP === undefined;
  const addresses = headless ? visible(service).map(({ ip }) => ip) : [service.clusterIP!];
  // A headless service without endpoints does not exist for DNS (CoreDNS answers NXDOMAIN too).
  if (addresses.length === 0) return notThere;
  if (type === 'A') return records([...new Set(addresses)].map((data) => ({ name, type: 'A', data })));
  if (type !== 'SRV') return records([]);
  const answers = service.ports.map((port) =>
    portOf(service, name, base, port.name, port.protocol.toLowerCase(), 'SRV'),
  );
  return records(
    answers.flatMap((part) => (part.kind === 'records' ? part.answers : [])),
    unique(answers.flatMap((part) => (part.kind === 'records' ? part.additionals : []))),
  );
}

function portOf(
  service: ServiceView,
  name: string,
  base: string,
  portName: string,
  protocol: string,
  type: RecordType,
): ZoneAnswer {
  const port = service.ports.find((p) => p.name === portName && p.protocol.toLowerCase() === protocol);
  if (!port) return notThere;
  if (service.clusterIP !== undefined) {
    if (type !== 'SRV') return records([]);
    return records(
      [{ name, type: 'SRV', data: { priority: 0, weight: 100, port: port.port, target: base } }],
      [{ name: base, type: 'A', data: service.clusterIP }],
    );
  }
  const hosts = visible(service).filter(({ ports }) => ports[portName] !== undefined);
  if (hosts.length === 0) return notThere;
  if (type !== 'SRV') return records([]);
  const weight = Math.max(1, Math.floor(100 / hosts.length));
  const target = (endpoint: ServiceEndpoint): string => `${hostLabel(endpoint)}.${base}`;
  return records(
    hosts.map((endpoint) => ({
      name,
      type: 'SRV',
      data: { priority: 0, weight, port: endpoint.ports[portName]!, target: target(endpoint) },
    })),
    hosts.map((endpoint) => ({ name: target(endpoint), type: 'A', data: endpoint.ip })),
  );
}

function reverse(data: ZoneData, domain: string, name: string, type: RecordType): ZoneAnswer {
  const ip = name.slice(0, -'.in-addr.arpa'.length).split('.').reverse().join('.');
  const service = data.serviceByIP(ip);
  if (!service) return { kind: 'foreign' };
  const target = `${service.name}.${service.namespace}.svc.${domain}`;
  return records(type === 'PTR' ? [{ name, type: 'PTR', data: target }] : []);
}

function visible(service: ServiceView): ServiceEndpoint[] {
  return service.endpoints.filter((endpoint) => endpoint.ready || service.publishNotReadyAddresses);
}

/** A pod without a hostname of its own in the service is known by its address, as CoreDNS does it. */
function hostLabel(endpoint: ServiceEndpoint): string {
  return endpoint.hostname || endpoint.ip.replaceAll('.', '-');
}

function unique(list: DnsRecord[]): DnsRecord[] {
  return [...new Map(list.map((record) => [JSON.stringify(record), record])).values()];
}
