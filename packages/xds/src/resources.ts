import { decode, encode, type MessageName, toEnvoyJson, type JsonValue, typeUrlOf, WireError } from './codec/index.js';
import type { Any, Cluster, ClusterLoadAssignment, Listener, RouteConfiguration, Secret } from './gen/types.js';

/** The kinds of resources that xDS carries. */
export interface Resources {
  cluster: Cluster;
  endpoint: ClusterLoadAssignment;
  listener: Listener;
  route: RouteConfiguration;
  secret: Secret;
}
export type ResourceKind = keyof Resources;
export type Resource = Resources[ResourceKind];

const messageNames = {
  cluster: 'envoy.config.cluster.v3.Cluster',
  endpoint: 'envoy.config.endpoint.v3.ClusterLoadAssignment',
  listener: 'envoy.config.listener.v3.Listener',
  route: 'envoy.config.route.v3.RouteConfiguration',
  secret: 'envoy.extensions.transport_sockets.tls.v3.Secret',
} as const satisfies Record<ResourceKind, MessageName>;

/** Type URLs by kind, as DiscoveryRequest.type_url has them. */
export const typeUrls = {
  cluster: typeUrlOf(messageNames.cluster),
  endpoint: typeUrlOf(messageNames.endpoint),
  listener: typeUrlOf(messageNames.listener),
  route: typeUrlOf(messageNames.route),
  secret: typeUrlOf(messageNames.secret),
} as const;

/** The order in which configuration is pushed so that nothing refers to what is not there yet (Envoy, "Eventual consistency considerations"). */
export const pushOrder = [
  'cluster',
  'endpoint',
  'listener',
  'route',
  'secret',
] as const satisfies readonly ResourceKind[];

const kindsByUrl = new Map<string, ResourceKind>(pushOrder.map((kind) => [typeUrls[kind], kind]));

export function resourceKind(typeUrl: string): ResourceKind | undefined {
  return kindsByUrl.get(typeUrl);
}

/** A resource's name: a load assignment is named after its cluster. */
export function resourceName<K extends ResourceKind>(kind: K, resource: Resources[K]): string {
  const named: { name?: string; cluster_name?: string } = resource;
  return (kind === 'endpoint' ? named.cluster_name : named.name) ?? '';
}

/** The Any that a DiscoveryResponse carries. */
export function encodeResource<K extends ResourceKind>(kind: K, resource: Resources[K]): Any {
  return { type_url: typeUrls[kind], value: encode<MessageName>(messageNames[kind], resource) };
}

/** The resource in an Any of a DiscoveryResponse of this kind. Throws WireError for another type or malformed bytes. */
export function decodeResource<K extends ResourceKind>(kind: K, any: Any): Resources[K] {
  if (any.type_url !== typeUrls[kind]) throw new WireError(`a ${kind} is expected, not ${any.type_url || 'nothing'}`);
  return decode<MessageName>(messageNames[kind], any.value ?? new Uint8Array()) as Resources[K];
}

/** A resource as `/config_dump` shows it. */
export function resourceToJson<K extends ResourceKind>(kind: K, resource: Resources[K]): JsonValue {
  return toEnvoyJson<MessageName>(messageNames[kind], resource);
}
