import { apiVersionOf, type core, type KubeObject, type meta, podQosClass, type ResourceInfo } from '@flotilla/api';
import { equalJson } from '../equal.js';
import { contentOf, hasStatus, traitsOf } from './strategy.js';

export interface Birth {
  name: string;
  namespace: string;
  uid: string;
  /** RFC 3339, whole seconds, as upstream writes times. */
  now: string;
}

/** Fields that only the server writes. */
const serverOwned = [
  'resourceVersion',
  'selfLink',
  'generation',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'managedFields',
] as const;

function withoutServerFields(metadata: meta.ObjectMeta): meta.ObjectMeta {
  const out = { ...metadata };
  for (const field of serverOwned) delete out[field];
  return out;
}

/** A new object as it enters the cluster: identity given, what only the server may say removed. */
export function prepareCreate<T extends KubeObject>(info: ResourceInfo<T>, object: T, birth: Birth): T {
  const traits = traitsOf(info);
  const metadata: meta.ObjectMeta = {
    ...withoutServerFields(object.metadata),
    name: birth.name,
    uid: birth.uid,
    creationTimestamp: birth.now,
    ...(traits.generation ? { generation: 1 } : {}),
  };
  if (info.namespaced) metadata.namespace = birth.namespace;
  else delete metadata.namespace;
  const out: T & { status?: unknown } = { ...object, apiVersion: apiVersionOf(info), kind: info.kind, metadata };
  if (hasStatus(info) && !traits.statusOnCreate) {
    if (info.custom) delete out.status;
    else out.status = {};
  }
  return info.group === '' && info.resource === 'namespaces' ? heldNamespace(out) : out;
}

/** What a new object's status says before anyone has looked at it; runs once admission has changed what it wants. */
export function initialStatus(info: ResourceInfo, object: KubeObject): KubeObject {
  if (info.group !== '' || info.resource !== 'pods') return object;
  const pod = object as core.Pod;
  const made: core.Pod = { ...pod, status: { ...pod.status, phase: 'Pending', qosClass: podQosClass(pod) } };
  return made;
}

/** A namespace is held by the namespace controller, which empties it before it goes (namespaceStrategy). */
function heldNamespace<T extends KubeObject>(object: T): T {
  const { spec } = object as T & { spec?: core.NamespaceSpec };
  const finalizers = spec?.finalizers ?? [];
  return finalizers.includes('kubernetes')
    ? object
    : { ...object, spec: { ...spec, finalizers: [...finalizers, 'kubernetes'] } };
}

function keepIdentity(next: meta.ObjectMeta, before: meta.ObjectMeta): meta.ObjectMeta {
  const out: meta.ObjectMeta = { ...withoutServerFields(next), name: before.name, uid: before.uid };
  out.resourceVersion = before.resourceVersion;
  out.creationTimestamp = before.creationTimestamp;
  if (before.namespace !== undefined) out.namespace = before.namespace;
  if (before.generation !== undefined) out.generation = before.generation;
  if (before.generateName !== undefined) out.generateName = before.generateName;
  if (before.deletionTimestamp !== undefined) out.deletionTimestamp = before.deletionTimestamp;
  if (before.deletionGracePeriodSeconds !== undefined) {
    out.deletionGracePeriodSeconds = before.deletionGracePeriodSeconds;
  }
  return out;
}

/** An update of the object itself: its status stays, and its generation follows its content. */
export function prepareUpdate<T extends KubeObject>(info: ResourceInfo<T>, next: T, before: T): T {
  const out: T & { status?: unknown } = {
    ...next,
    apiVersion: apiVersionOf(info),
    kind: info.kind,
    metadata: keepIdentity(next.metadata, before.metadata),
  };
  if (hasStatus(info)) {
    const { status } = before as KubeObject & { status?: unknown };
    if (status === undefined) delete out.status;
    else out.status = status;
  }
  const changed = !equalJson(contentOf(out), contentOf(before));
  if (changed && traitsOf(info).generation) out.metadata.generation = (before.metadata.generation ?? 0) + 1;
  return out;
}

/** An update of the status subresource: everything else stays, but for the metadata of kinds that allow it. */
export function prepareStatusUpdate<T extends KubeObject>(info: ResourceInfo<T>, next: T, before: T): T {
  const metadata = traitsOf(info).metadataByStatus
    ? {
        ...keepIdentity(next.metadata, before.metadata),
        // A deployment's labels are not its controller's to change (upstream deploymentStatusStrategy); the same is true
        // of owners anywhere.
        labels: info.resource === 'deployments' ? before.metadata.labels : next.metadata.labels,
        ownerReferences: before.metadata.ownerReferences,
      }
    : before.metadata;
  return { ...before, metadata, status: (next as KubeObject & { status?: unknown }).status };
}
