import { type core, type discovery, isPodReady } from '@flotilla/api';
import { canonicalJson, equivalent } from '../common/equivalent.js';
import { nameOf, namespaceOf } from '../common/objects.js';
import { addressOf, hasEndpoint, hostnameOf, isHeadless, podPorts, targetRefOf } from './pods.js';
import { headlessLabel } from './slices.js';

const managedByLabel = 'endpoints.kubernetes.io/managed-by';
const overCapacityAnnotation = 'endpoints.kubernetes.io/over-capacity';
/** More are cut off and the object is marked, as upstream. */
const maxAddresses = 1000;

/** The service's Endpoints object as it should be, or undefined if `present` already is. */
export function decideEndpoints(
  service: core.Service,
  pods: readonly core.Pod[],
  present: core.Endpoints | undefined,
): core.Endpoints | undefined {
  const { subsets, truncated } = truncate(subsetsOf(service, pods));
  const { [overCapacityAnnotation]: _o, ...annotations } = present?.metadata.annotations ?? {};
  if (truncated) annotations[overCapacityAnnotation] = 'truncated';
  const { [headlessLabel]: _h, ...serviceLabels } = service.metadata.labels ?? {};
  const labels = {
    ...serviceLabels,
    ...(isHeadless(service) ? { [headlessLabel]: '' } : {}),
    [managedByLabel]: 'endpoint-controller',
  };
  if (
    present &&
    equivalent(present.subsets, subsets) &&
    equivalent(present.metadata.labels, labels) &&
    equivalent(present.metadata.annotations, annotations)
  ) {
    return undefined;
  }
  const metadata = present
    ? { ...present.metadata, labels, annotations }
    : { name: nameOf(service), namespace: namespaceOf(service), labels, annotations };
  return { apiVersion: 'v1', kind: 'Endpoints', metadata, subsets };
}

/** Pods with the same ports share a subset; addresses in order, so that equal input gives equal output. */
function subsetsOf(service: core.Service, pods: readonly core.Pod[]): core.EndpointSubset[] {
  const publishNotReady = service.spec.publishNotReadyAddresses === true;
  const groups = new Map<
    string,
    { ports: discovery.EndpointPort[]; ready: core.EndpointAddress[]; not: core.EndpointAddress[] }
  >();
  for (const pod of pods) {
    if (!hasEndpoint(pod, publishNotReady)) continue;
    const ports = podPorts(pod, service);
    if (ports.length === 0 && (service.spec.ports ?? []).length > 0) continue;
    const key = canonicalJson(ports);
    let group = groups.get(key);
    if (!group) groups.set(key, (group = { ports, ready: [], not: [] }));
    (publishNotReady || isPodReady(pod) ? group.ready : group.not).push(addressEntry(pod, service));
  }
  return [...groups.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, group]) => ({
      ...(group.ready.length > 0 ? { addresses: group.ready.sort(byIp) } : {}),
      ...(group.not.length > 0 ? { notReadyAddresses: group.not.sort(byIp) } : {}),
      ...(group.ports.length > 0 ? { ports: group.ports.map(corePort) } : {}),
    }));
}

const byIp = (a: core.EndpointAddress, b: core.EndpointAddress): number => (a.ip < b.ip ? -1 : a.ip > b.ip ? 1 : 0);

function corePort(port: discovery.EndpointPort): core.EndpointPort {
  const { name, ...rest } = port;
  return { ...rest, port: port.port ?? 0, ...(name ? { name } : {}) };
}

function addressEntry(pod: core.Pod, service: core.Service): core.EndpointAddress {
  const hostname = hostnameOf(pod, service);
  return {
    ip: addressOf(pod),
    ...(hostname === undefined ? {} : { hostname }),
    ...(pod.spec.nodeName === undefined ? {} : { nodeName: pod.spec.nodeName }),
    targetRef: targetRefOf(pod),
  };
}

/** Ready addresses have precedence. */
function truncate(subsets: core.EndpointSubset[]): { subsets: core.EndpointSubset[]; truncated: boolean } {
  let room = maxAddresses;
  let truncated = false;
  const take = (list: core.EndpointAddress[] | undefined): core.EndpointAddress[] | undefined => {
    if (!list) return undefined;
    const kept = list.slice(0, room);
    room -= kept.length;
    truncated ||= kept.length < list.length;
    return kept.length > 0 ? kept : undefined;
  };
  const ready = subsets.map((s) => take(s.addresses));
  const notReady = subsets.map((s) => take(s.notReadyAddresses));
  const cut = subsets.map(({ ports }, i) => ({
    ...(ready[i] ? { addresses: ready[i] } : {}),
    ...(notReady[i] ? { notReadyAddresses: notReady[i] } : {}),
    ...(ports ? { ports } : {}),
  }));
  return { subsets: cut.filter((s) => s.addresses || s.notReadyAddresses), truncated };
}
