import { type core, type discovery, controllerRef, services } from '@flotilla/api';
import { canonicalJson, equivalent } from '../common/equivalent.js';
import { byCreation, nameOf, namespaceOf } from '../common/objects.js';
import { addressOf, endpointConditions, hasEndpoint, hostnameOf, isHeadless, podPorts, targetRefOf } from './pods.js';

export const serviceNameLabel = 'kubernetes.io/service-name';
export const managedByLabel = 'endpointslice.kubernetes.io/managed-by';
export const headlessLabel = 'service.kubernetes.io/headless';
export const sliceController = 'endpointslice-controller.k8s.io';

/** Upstream's default of --max-endpoints-per-slice. */
export const maxEndpointsPerSlice = 100;

export interface SlicesState {
  service: core.Service;
  /** The pods that its selector selects. */
  pods: readonly core.Pod[];
  /** The service's slices that this controller manages. */
  slices: readonly discovery.EndpointSlice[];
  /** The zone of a node, if it has one. */
  zoneOf(node: string): string | undefined;
}

export interface SlicesPlan {
  create: discovery.EndpointSlice[];
  update: discovery.EndpointSlice[];
  remove: discovery.EndpointSlice[];
}

type Slice = discovery.EndpointSlice;

/** Endpoints that have the same ports, by identity. */
interface PortGroup {
  ports: discovery.EndpointPort[];
  endpoints: Map<string, discovery.Endpoint>;
}

/**
 * The changes that bring a service's slices up to date, touching as few slices as possible: every endpoint stays in the
 * slice it is in, new ones fill slices that change anyway, then one with room, then new slices.
 */
export function decideSlices(state: SlicesState): SlicesPlan {
  const { service } = state;
  const plan: SlicesPlan = { create: [], update: [], remove: [] };
  const groups = groupByPorts(state);
  const byPorts = new Map<string, Slice[]>();
  for (const slice of [...state.slices].sort(byCreation)) {
    const key = portsKey(slice.ports);
    if (slice.addressType !== 'IPv4' || !groups.has(key)) plan.remove.push(slice);
    else byPorts.set(key, [...(byPorts.get(key) ?? []), slice]);
  }
  for (const [key, group] of groups) reconcileGroup(service, group, byPorts.get(key) ?? [], plan);
  keepOne(service, state.slices, plan);
  return plan;
}

const portsKey = (ports: readonly discovery.EndpointPort[] | undefined): string =>
  canonicalJson([...(ports ?? [])].map((p) => canonicalJson({ ...p, name: p.name || undefined })).sort());

function groupByPorts(state: SlicesState): Map<string, PortGroup> {
  const groups = new Map<string, PortGroup>();
  for (const pod of state.pods) {
    if (!hasEndpoint(pod, true)) continue;
    const ports = podPorts(pod, state.service);
    const key = portsKey(ports);
    let group = groups.get(key);
    if (!group) groups.set(key, (group = { ports, endpoints: new Map() }));
    const endpoint = endpointOf(pod, state);
    group.endpoints.set(endpointKey(endpoint), endpoint);
  }
  return groups;
}

function endpointOf(pod: core.Pod, state: SlicesState): discovery.Endpoint {
  const node = pod.spec.nodeName;
  const zone = node === undefined ? undefined : state.zoneOf(node);
  const hostname = hostnameOf(pod, state.service);
  return {
    addresses: [addressOf(pod)],
    conditions: endpointConditions(pod, state.service),
    ...(hostname === undefined ? {} : { hostname }),
    targetRef: targetRefOf(pod),
    ...(node === undefined ? {} : { nodeName: node }),
    ...(zone === undefined ? {} : { zone }),
  };
}

const endpointKey = (e: discovery.Endpoint): string =>
  `${e.targetRef?.namespace}/${e.targetRef?.name}/${e.addresses[0]}`;

function reconcileGroup(service: core.Service, group: PortGroup, slices: Slice[], plan: SlicesPlan): void {
  const missing = new Map(group.endpoints);
  const changed: Slice[] = [];
  const unchanged: Slice[] = [];
  for (const slice of slices) {
    const kept = (slice.endpoints ?? []).flatMap((present) => {
      const key = endpointKey(present);
      const wanted = missing.get(key);
      missing.delete(key);
      return wanted ? [equivalent(wanted, present) ? present : wanted] : [];
    });
    const same = kept.length === (slice.endpoints ?? []).length && kept.every((e, i) => e === slice.endpoints[i]);
    if (same && labelsAreRight(service, slice)) unchanged.push(slice);
    else changed.push(withEndpoints(service, slice, kept));
  }
  const rest = [...missing.values()];
  for (const slice of changed) {
    slice.endpoints.push(...rest.splice(0, Math.max(0, maxEndpointsPerSlice - slice.endpoints.length)));
  }
  if (rest.length > 0) fillOne(service, unchanged, changed, rest);
  while (rest.length > 0) plan.create.push(newSlice(service, group.ports, rest.splice(0, maxEndpointsPerSlice)));
  for (const slice of changed) {
    if (slice.endpoints.length === 0) plan.remove.push(slice);
    else plan.update.push(slice);
  }
}

/** Puts all of `rest` into the unchanged slice that is fullest but still has room for it. */
function fillOne(service: core.Service, unchanged: Slice[], changed: Slice[], rest: discovery.Endpoint[]): void {
  const fitting = unchanged
    .filter((slice) => slice.endpoints.length + rest.length <= maxEndpointsPerSlice)
    .sort((a, b) => b.endpoints.length - a.endpoints.length)[0];
  if (!fitting) return;
  changed.push(withEndpoints(service, fitting, [...fitting.endpoints, ...rest.splice(0)]));
}

/** A service keeps one slice even without endpoints, so that "none" differs from "not looked at yet". */
function keepOne(service: core.Service, present: readonly Slice[], plan: SlicesPlan): void {
  if (plan.create.length > 0 || plan.update.length > 0) return;
  if (present.length > plan.remove.length) return;
  const [spared, ...others] = plan.remove;
  if (!spared || spared.addressType !== 'IPv4') {
    plan.create.push(newSlice(service, [], []));
    return;
  }
  plan.remove = others;
  const empty = { ...withEndpoints(service, spared, []), ports: [] };
  const original = present.find((slice) => nameOf(slice) === nameOf(spared)) ?? spared;
  if (!equivalent(empty, original)) plan.update.push(empty);
}

function labelsOf(service: core.Service): Record<string, string> {
  const {
    [headlessLabel]: _h,
    [serviceNameLabel]: _n,
    [managedByLabel]: _m,
    ...labels
  } = service.metadata.labels ?? {};
  return {
    ...labels,
    ...(isHeadless(service) ? { [headlessLabel]: '' } : {}),
    [serviceNameLabel]: nameOf(service),
    [managedByLabel]: sliceController,
  };
}

const labelsAreRight = (service: core.Service, slice: Slice): boolean =>
  equivalent(slice.metadata.labels, labelsOf(service));

function withEndpoints(service: core.Service, slice: Slice, endpoints: discovery.Endpoint[]): Slice {
  return { ...slice, metadata: { ...slice.metadata, labels: labelsOf(service) }, endpoints: [...endpoints] };
}

function newSlice(service: core.Service, ports: discovery.EndpointPort[], endpoints: discovery.Endpoint[]): Slice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      generateName: `${nameOf(service)}-`,
      namespace: namespaceOf(service),
      labels: labelsOf(service),
      ownerReferences: [controllerRef(service, services)],
    },
    addressType: 'IPv4',
    endpoints,
    ports,
  };
}
