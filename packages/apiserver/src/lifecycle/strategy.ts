import type { KubeObject, ResourceInfo } from '@flotilla/api';

/**
 * What differs from kind to kind when objects are written: upstream's registry strategies, as a table. A kind that is
 * not listed has a generation that follows its spec, and a status that only the status subresource writes.
 */
interface Traits {
  /** Counts spec changes in `metadata.generation`. */
  generation: boolean;
  /** Accepts a status in a create request (a kubelet registers its node with one). */
  statusOnCreate?: boolean;
  /** The status subresource takes labels, annotations and finalizers too, not only the status. */
  metadataByStatus?: boolean;
  /** PUT of an object that does not exist creates it. */
  createOnUpdate?: boolean;
  /** PUT must name the resourceVersion it is based on. */
  conditionalUpdate?: boolean;
  /** DELETE answers with the object instead of a Status. */
  returnsDeleted?: boolean;
}

const traits: Readonly<Record<string, Traits>> = {
  pods: { generation: true, metadataByStatus: true, returnsDeleted: true },
  nodes: { generation: false, statusOnCreate: true, metadataByStatus: true },
  namespaces: { generation: false, metadataByStatus: true },
  services: { generation: false, metadataByStatus: true, createOnUpdate: true, returnsDeleted: true },
  endpoints: { generation: false, createOnUpdate: true },
  configmaps: { generation: false },
  secrets: { generation: false },
  serviceaccounts: { generation: false, returnsDeleted: true },
  events: { generation: false, createOnUpdate: true },
  'events.events.k8s.io': { generation: false, createOnUpdate: true },
  persistentvolumes: { generation: false, metadataByStatus: true, returnsDeleted: true },
  persistentvolumeclaims: { generation: false, metadataByStatus: true, returnsDeleted: true },
  'leases.coordination.k8s.io': { generation: false, createOnUpdate: true, conditionalUpdate: true },
  'storageclasses.storage.k8s.io': { generation: false, returnsDeleted: true },
  'deployments.apps': { generation: true, metadataByStatus: true },
  'replicasets.apps': { generation: true, metadataByStatus: true },
  'ingresses.networking.k8s.io': { generation: true, metadataByStatus: true },
  'ingressclasses.networking.k8s.io': { generation: true },
  'endpointslices.discovery.k8s.io': { generation: true },
};

const custom: Traits = { generation: true, conditionalUpdate: true };
const ordinary: Traits = { generation: true, metadataByStatus: true };

export function traitsOf(info: ResourceInfo): Traits {
  return traits[info.group ? `${info.resource}.${info.group}` : info.resource] ?? (info.custom ? custom : ordinary);
}

export const hasStatus = (info: ResourceInfo): boolean => info.subresources.includes('status');

/** The object's own members besides type and metadata: `spec`, `status`, `data`, `endpoints`, … */
export function contentOf(object: KubeObject): Record<string, unknown> {
  const { apiVersion: _apiVersion, kind: _kind, metadata: _metadata, ...rest } = object;
  return rest;
}
