import {
  type core,
  type KubeObject,
  namespaces,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  type ResourceInfo,
  services,
  type storage,
  storageClasses,
} from '@flotilla/api';
import type { Cache, ResourceClient } from '@flotilla/client';

/** The part of `Client` that the scheduler uses. */
export interface ApiClient {
  resource<T extends KubeObject>(info: ResourceInfo<T>): ResourceClient<T>;
}

export interface Caches {
  readonly pods: Cache<core.Pod>;
  readonly nodes: Cache<core.Node>;
  readonly namespaces: Cache<core.Namespace>;
  readonly services: Cache<core.Service>;
  readonly claims: Cache<core.PersistentVolumeClaim>;
  readonly volumes: Cache<core.PersistentVolume>;
  readonly storageClasses: Cache<storage.StorageClass>;
}

export const byNamespace = 'namespace';

export function createCaches(open: <T extends KubeObject>(info: ResourceInfo<T>) => Cache<T>): Caches {
  const caches = {
    pods: open(pods),
    nodes: open(nodes),
    namespaces: open(namespaces),
    services: open(services),
    claims: open(persistentVolumeClaims),
    volumes: open(persistentVolumes),
    storageClasses: open(storageClasses),
  };
  caches.services.addIndex(byNamespace, (service) => [service.metadata.namespace ?? '']);
  return caches;
}
