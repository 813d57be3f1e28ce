import { NamedError } from '@flotilla/base';
import type * as apps from './gen/apps-v1.js';
import type * as coordination from './gen/coordination-v1.js';
import type * as core from './gen/core-v1.js';
import type * as discovery from './gen/discovery-v1.js';
import type * as eventsApi from './gen/events-v1.js';
import type * as istio from './gen/istio.js';
import type * as meta from './gen/meta-v1.js';
import type * as networking from './gen/networking-v1.js';
import { resourceRows } from './gen/resources.js';
import type * as storage from './gen/storage-v1.js';
import type { ResourceFacts, ResourceRow } from './schema/resource-row.js';
import { schemaOf } from './schema/tables.js';
import type { MessageSchema } from './schema/types.js';

/** What all kinds have. `apiVersion` and `kind` are optional in TypeScript only: on the wire they are always there. */
export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata: meta.ObjectMeta;
}

/** One served resource: where it is, what it looks like. `T` is the type of its objects. */
export interface ResourceInfo<T extends KubeObject = KubeObject> extends ResourceFacts {
  readonly schema: MessageSchema;
  readonly listSchema: MessageSchema;
  /** Never set: carries `T`. */
  readonly _type?: T;
}

class ServedResource implements ResourceInfo {
  readonly group!: string;
  readonly version!: string;
  readonly resource!: string;
  readonly singular!: string;
  readonly kind!: string;
  readonly listKind!: string;
  readonly namespaced!: boolean;
  readonly shortNames!: readonly string[];
  readonly categories!: readonly string[];
  readonly subresources!: readonly string[];
  readonly storageKey!: string;
  readonly storageVersion!: string;
  readonly custom!: boolean;
  readonly #row: ResourceRow;

  constructor(row: ResourceRow) {
    this.#row = row;
    const { schemaId: _schema, listSchemaId: _list, ...facts } = row;
    Object.assign(this, facts);
  }

  get schema(): MessageSchema {
    return schemaOf(this.#row.schemaId);
  }

  get listSchema(): MessageSchema {
    return schemaOf(this.#row.listSchemaId);
  }
}

/** All served resources, every version of them. */
export const resources: readonly ResourceInfo[] = resourceRows.map((row) => new ServedResource(row));

export class UnknownResourceError extends NamedError {}

function served<T extends KubeObject>(group: string, kind: string): ResourceInfo<T> {
  const found = findKind(group, 'v1', kind);
  if (found === undefined)
    throw new UnknownResourceError('UnknownResource', `${group}/v1 ${kind} is not declared in proto/`);
  return found as ResourceInfo<T>;
}

export const namespaces = served<core.Namespace>('', 'Namespace');
export const nodes = served<core.Node>('', 'Node');
export const pods = served<core.Pod>('', 'Pod');
export const services = served<core.Service>('', 'Service');
export const endpoints = served<core.Endpoints>('', 'Endpoints');
export const configMaps = served<core.ConfigMap>('', 'ConfigMap');
export const secrets = served<core.Secret>('', 'Secret');
export const serviceAccounts = served<core.ServiceAccount>('', 'ServiceAccount');
export const coreEvents = served<core.Event>('', 'Event');
/** The same objects as `coreEvents`, in the form of events.k8s.io/v1. */
export const eventsK8sIo = served<eventsApi.Event>('events.k8s.io', 'Event');
export const persistentVolumes = served<core.PersistentVolume>('', 'PersistentVolume');
export const persistentVolumeClaims = served<core.PersistentVolumeClaim>('', 'PersistentVolumeClaim');
export const deployments = served<apps.Deployment>('apps', 'Deployment');
export const replicaSets = served<apps.ReplicaSet>('apps', 'ReplicaSet');
export const endpointSlices = served<discovery.EndpointSlice>('discovery.k8s.io', 'EndpointSlice');
export const leases = served<coordination.Lease>('coordination.k8s.io', 'Lease');
export const storageClasses = served<storage.StorageClass>('storage.k8s.io', 'StorageClass');
export const ingresses = served<networking.Ingress>('networking.k8s.io', 'Ingress');
export const ingressClasses = served<networking.IngressClass>('networking.k8s.io', 'IngressClass');
export const gateways = served<istio.Gateway>('networking.istio.io', 'Gateway');
export const virtualServices = served<istio.VirtualService>('networking.istio.io', 'VirtualService');
export const destinationRules = served<istio.DestinationRule>('networking.istio.io', 'DestinationRule');

/** By plural name, as in a path. */
export function findResource(group: string, version: string, resource: string): ResourceInfo | undefined {
  return resources.find((info) => info.resource === resource && info.group === group && info.version === version);
}

/** By kind, as in a manifest. */
export function findKind(group: string, version: string, kind: string): ResourceInfo | undefined {
  return resources.find((info) => info.kind === kind && info.group === group && info.version === version);
}

/** `v1` or `apps/v1`. */
export function apiVersionOf(info: { readonly group: string; readonly version: string }): string {
  return info.group === '' ? info.version : `${info.group}/${info.version}`;
}

/** `namespace/name`, or `name` for what has no namespace. */
export function keyOf(object: { readonly metadata: meta.ObjectMeta }): string {
  const { namespace, name = '' } = object.metadata;
  return namespace === undefined || namespace === '' ? name : `${namespace}/${name}`;
}

export function splitKey(key: string): { namespace?: string; name: string } {
  const slash = key.indexOf('/');
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}
