import type * as core from '../gen/core-v1.js';
import type { KubeObject } from '../resources.js';
import {
  setEndpointsDefaults,
  setEndpointSliceDefaults,
  setIngressClassDefaults,
  setServiceDefaults,
} from './network.js';
import { roundList, setPodDefaults } from './pod.js';
import { setPersistentVolumeClaimDefaults, setPersistentVolumeDefaults, setStorageClassDefaults } from './storage.js';
import { setDeploymentDefaults, setReplicaSetDefaults } from './workloads.js';

/** Method syntax, so that a function of a kind's own type fits. */
interface Defaulter {
  set(object: KubeObject): void;
}

const defaulters: Record<string, Defaulter> = {
  '/Namespace': { set: setNamespaceDefaults },
  '/Node': { set: setNodeDefaults },
  '/Pod': { set: setPodDefaults },
  '/Secret': { set: setSecretDefaults },
  '/Service': { set: setServiceDefaults },
  '/Endpoints': { set: setEndpointsDefaults },
  '/PersistentVolume': { set: setPersistentVolumeDefaults },
  '/PersistentVolumeClaim': { set: setPersistentVolumeClaimDefaults },
  'apps/Deployment': { set: setDeploymentDefaults },
  'apps/ReplicaSet': { set: setReplicaSetDefaults },
  'discovery.k8s.io/EndpointSlice': { set: setEndpointSliceDefaults },
  'networking.k8s.io/IngressClass': { set: setIngressClassDefaults },
  'storage.k8s.io/StorageClass': { set: setStorageClassDefaults },
};

/** Fills in, in place, what upstream fills in when it reads an object of this kind. Idempotent. */
export function setDefaults(info: { readonly group: string; readonly kind: string }, object: KubeObject): void {
  const key = `${info.group}/${info.kind}`;
  if (Object.hasOwn(defaulters, key)) defaulters[key]!.set(object);
}

function setNamespaceDefaults(namespace: core.Namespace): void {
  namespace.status ??= {};
  namespace.status.phase ||= 'Active';
  const { name } = namespace.metadata;
  if (name) namespace.metadata.labels = { ...namespace.metadata.labels, 'kubernetes.io/metadata.name': name };
}

function setNodeDefaults(node: core.Node): void {
  if (node.status?.capacity && !node.status.allocatable) node.status.allocatable = { ...node.status.capacity };
  roundList(node.status?.capacity);
  roundList(node.status?.allocatable);
}

/** `stringData` is for writing only: it overwrites `data` as soon as it is read (core/v1 conversion). */
function setSecretDefaults(secret: core.Secret): void {
  secret.type ||= 'Opaque';
  if (!secret.stringData) return;
  secret.data ??= {};
  for (const [key, text] of Object.entries(secret.stringData)) secret.data[key] = Buffer.from(text).toString('base64');
  delete secret.stringData;
}
