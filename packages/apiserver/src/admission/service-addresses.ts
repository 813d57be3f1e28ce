import { type core, fieldErrors, FieldPath, invalid, services, type StatusError } from '@flotilla/api';
import { equalJson } from '../equal.js';
import { concerns, type Admission, type AdmissionStep, type ClusterView } from './step.js';

export interface ServiceRanges {
  /** IPv4, e.g. `127.193.0.0/16`. */
  serviceCIDR: string;
  /** 30000 to 32767 if absent. */
  nodePorts?: { first: number; last: number };
}

interface Range {
  base: number;
  /** Usable host numbers are 1 to size - 2. */
  size: number;
}

const toNumber = (ip: string): number => ip.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0);
const toAddress = (n: number): string => [24, 16, 8, 0].map((shift) => Math.floor(n / 2 ** shift) % 256).join('.');

export function parseRange(cidr: string): Range {
  const [ip = '', bits = '16'] = cidr.split('/');
  const size = 2 ** (32 - Number(bits));
  return { base: Math.floor(toNumber(ip) / size) * size, size };
}

/** The address of host number `n` of the range: 1 is the `kubernetes` service, 10 the cluster's DNS. */
export const addressIn = (cidr: string, n: number): string => toAddress(parseRange(cidr).base + n);

/** Hosts below this are left to services that ask for an address, and to our own (upstream's static band). */
const staticBand = (size: number): number => Math.min(Math.max(16, Math.floor(size / 16)), 256);

/** A small stable hash (FNV-1a), so that a service created again usually gets its old address. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return h;
}

/** The first free place at or after where `seed` points, in `[first, last]`; undefined when all are taken. */
export function pick(seed: string, first: number, last: number, taken: (n: number) => boolean): number | undefined {
  const count = last - first + 1;
  const start = hash(seed) % count;
  for (let i = 0; i < count; i++) {
    const n = first + ((start + i) % count);
    if (!taken(n)) return n;
  }
  return undefined;
}

interface InUse {
  addresses: Set<string>;
  nodePorts: Set<number>;
}

function usedBy(list: readonly core.Service[], except: string): InUse {
  const used: InUse = { addresses: new Set(), nodePorts: new Set() };
  for (const service of list) {
    if (service.metadata.uid === except) continue;
    for (const ip of service.spec.clusterIPs ?? []) used.addresses.add(ip);
    for (const port of service.spec.ports ?? []) if (port.nodePort) used.nodePorts.add(port.nodePort);
  }
  return used;
}

const headless = (spec: core.ServiceSpec): boolean => (spec.clusterIP ?? spec.clusterIPs?.[0]) === 'None';

function wantsNodePorts(spec: core.ServiceSpec): boolean {
  if (spec.type === 'NodePort') return true;
  return spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false;
}

/**
 * Gives services their cluster IPs and node ports. What is taken is read from the stored services each time, so nothing
 * needs to be kept or repaired across restarts; what is being written right now is reserved until the write has ended.
 */
export class ServiceAddresses implements AdmissionStep {
  readonly name = 'ServiceAddresses';
  readonly #range: Range;
  readonly #cidr: string;
  readonly #ports: { first: number; last: number };
  readonly #reserved: InUse = { addresses: new Set(), nodePorts: new Set() };

  constructor(ranges: ServiceRanges) {
    this.#cidr = ranges.serviceCIDR;
    this.#range = parseRange(ranges.serviceCIDR);
    this.#ports = ranges.nodePorts ?? { first: 30_000, last: 32_767 };
  }

  mutate(admission: Admission, cluster: ClusterView): core.Service | undefined {
    if (!concerns(admission, services) || admission.operation === 'DELETE') {
      return admission.object as core.Service | undefined;
    }
    const before = admission.before as core.Service | undefined;
    const given = admission.object as core.Service;
    const service = before ? keepAllocated(dropOutdated(given, before), before) : given;
    if (service.spec.type === 'ExternalName') return service;
    const used = usedBy(cluster.list(services), service.metadata.uid ?? '');
    const held: InUse = { addresses: new Set(), nodePorts: new Set() };
    const spec = this.#withAddress(service, used, held);
    const ports = wantsNodePorts(spec) ? this.#withNodePorts(service, spec, used, held) : spec.ports;
    this.#reserve(held, admission);
    return { ...service, spec: { ...spec, ...(ports ? { ports } : {}) } };
  }

  #withAddress(service: core.Service, used: InUse, held: InUse): core.ServiceSpec {
    const { spec } = service;
    const families = { ipFamilies: spec.ipFamilies ?? ['IPv4'], ipFamilyPolicy: spec.ipFamilyPolicy ?? 'SingleStack' };
    if (headless(spec)) return { ...spec, ...families, clusterIP: 'None', clusterIPs: ['None'] };
    const asked = spec.clusterIP || spec.clusterIPs?.[0];
    const ip = asked ? this.#check(service, asked, used) : this.#pickAddress(service, used);
    held.addresses.add(ip);
    return { ...spec, ...families, clusterIP: ip, clusterIPs: [ip] };
  }

  #check(service: core.Service, ip: string, used: InUse): string {
    const offset = toNumber(ip) - this.#range.base;
    const refuse = (why: string): StatusError => {
      const path = FieldPath.of('spec', 'clusterIPs').index(0);
      return invalid(services, service.metadata.name ?? '', [fieldErrors.invalid(path, ip, why)]);
    };
    if (!/^\d+(\.\d+){3}$/.test(ip)) return ip; // Validation says what is wrong with it.
    if (offset < 1 || offset > this.#range.size - 2) {
      throw refuse(
        `failed to allocate IP ${ip}: the provided IP (${ip}) is not in the valid range. The range of valid IPs is ${this.#cidr}`,
      );
    }
    if (used.addresses.has(ip) || this.#reserved.addresses.has(ip)) {
      throw refuse(`failed to allocate IP ${ip}: provided IP is already allocated`);
    }
    return ip;
  }

  #pickAddress(service: core.Service, used: InUse): string {
    const { base, size } = this.#range;
    const taken = (n: number): boolean => {
      const ip = toAddress(base + n);
      return used.addresses.has(ip) || this.#reserved.addresses.has(ip);
    };
    const seed = `${service.metadata.namespace}/${service.metadata.name}`;
    const host = pick(seed, staticBand(size), size - 2, taken) ?? pick(seed, 11, staticBand(size) - 1, taken);
    if (host !== undefined) return toAddress(base + host);
    const path = FieldPath.of('spec', 'clusterIPs').index(0);
    throw invalid(services, service.metadata.name ?? '', [
      fieldErrors.internal(path, 'failed to allocate a serviceIP: range is full'),
    ]);
  }

  #withNodePorts(service: core.Service, spec: core.ServiceSpec, used: InUse, held: InUse): core.ServicePort[] {
    const { first, last } = this.#ports;
    const taken = (n: number): boolean =>
      used.nodePorts.has(n) || this.#reserved.nodePorts.has(n) || held.nodePorts.has(n);
    return (spec.ports ?? []).map((port, i) => {
      const path = FieldPath.of('spec', 'ports').index(i).child('nodePort');
      const refuse = (error: ReturnType<typeof fieldErrors.internal>): StatusError =>
        invalid(services, service.metadata.name ?? '', [error]);
      if (port.nodePort) {
        if (port.nodePort < first || port.nodePort > last) {
          const why = `provided port is not in the valid range. The range of valid ports is ${first}-${last}`;
          throw refuse(fieldErrors.invalid(path, port.nodePort, why));
        }
        // One port number may serve TCP and UDP of the same service.
        const sibling = (spec.ports ?? []).slice(0, i).some((p) => p.nodePort === port.nodePort);
        if (taken(port.nodePort) && !sibling) {
          throw refuse(fieldErrors.invalid(path, port.nodePort, 'provided port is already allocated'));
        }
        held.nodePorts.add(port.nodePort);
        return port;
      }
      const seed = `${service.metadata.namespace}/${service.metadata.name}:${port.port}/${port.protocol}`;
      const nodePort = pick(seed, first, last, taken);
      if (nodePort === undefined)
        throw refuse(fieldErrors.internal(path, 'failed to allocate a nodePort: range is full'));
      held.nodePorts.add(nodePort);
      return { ...port, nodePort };
    });
  }

  #reserve(held: InUse, admission: Admission): void {
    for (const ip of held.addresses) this.#reserved.addresses.add(ip);
    for (const port of held.nodePorts) this.#reserved.nodePorts.add(port);
    admission.afterwards.push(() => {
      for (const ip of held.addresses) this.#reserved.addresses.delete(ip);
      for (const port of held.nodePorts) this.#reserved.nodePorts.delete(port);
    });
  }
}

const needsTrafficPolicy = (spec: core.ServiceSpec): boolean =>
  spec.type === 'NodePort' || spec.type === 'LoadBalancer' || (spec.externalIPs ?? []).length > 0;

/**
 * A change of type takes with it what only the old type had, unless the request has changed it too: then validation
 * speaks about it (upstream's `dropTypeDependentFields`).
 */
function dropOutdated(service: core.Service, { spec: old }: core.Service): core.Service {
  const spec: core.ServiceSpec = { ...service.spec };
  const drop = (outdated: boolean, ...fields: (keyof core.ServiceSpec)[]): void => {
    if (outdated) for (const field of fields) if (equalJson(spec[field], old[field])) delete spec[field];
  };
  drop(
    old.type !== 'ExternalName' && spec.type === 'ExternalName',
    'clusterIP',
    'clusterIPs',
    'ipFamilies',
    'ipFamilyPolicy',
  );
  drop(needsTrafficPolicy(old) && !needsTrafficPolicy(spec), 'externalTrafficPolicy');
  const wasBalanced = old.type === 'LoadBalancer' && spec.type !== 'LoadBalancer';
  drop(wasBalanced, 'allocateLoadBalancerNodePorts', 'loadBalancerClass', 'healthCheckNodePort');
  if (wantsNodePorts(old) && !wantsNodePorts(spec) && equalJson(nodePortsOf(spec), nodePortsOf(old))) {
    spec.ports = (spec.ports ?? []).map(({ nodePort: _released, ...port }) => port);
  }
  return { ...service, spec };
}

const nodePortsOf = (spec: core.ServiceSpec): (number | undefined)[] => (spec.ports ?? []).map((p) => p.nodePort);

/**
 * An update that says nothing about what was allocated keeps it, so that `kubectl replace` and `apply` of a manifest
 * without addresses work (upstream's `patchAllocatedValues`).
 */
function keepAllocated(service: core.Service, { spec: old }: core.Service): core.Service {
  if (old.type === 'ExternalName' || service.spec.type === 'ExternalName') return service;
  const spec: core.ServiceSpec = { ...service.spec };
  if (!spec.clusterIP && !spec.clusterIPs?.length) {
    if (old.clusterIP !== undefined) spec.clusterIP = old.clusterIP;
    if (old.clusterIPs !== undefined) spec.clusterIPs = old.clusterIPs;
  }
  if (spec.ipFamilies === undefined && old.ipFamilies !== undefined) spec.ipFamilies = old.ipFamilies;
  if (spec.ipFamilyPolicy === undefined && old.ipFamilyPolicy !== undefined) spec.ipFamilyPolicy = old.ipFamilyPolicy;
  if (wantsNodePorts(spec) && spec.ports) spec.ports = spec.ports.map((port) => withOldNodePort(port, old));
  return { ...service, spec };
}

function withOldNodePort(port: core.ServicePort, old: core.ServiceSpec): core.ServicePort {
  const known = (old.ports ?? []).find((p) => p.port === port.port && p.protocol === port.protocol)?.nodePort;
  return port.nodePort || !known ? port : { ...port, nodePort: known };
}
