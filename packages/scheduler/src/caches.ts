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
import type { ResourceClient } from '@flotilla/client';

/** The part of `Client` that the scheduler uses. */
export interface ApiClient {
  resource<T extends KubeObject>(info: ResourceInfo<T>): ResourceClient<T>;
}

/** A local copy of one kind, kept up to date by a watch. The objects are shared: never change them. */
export interface Cache<T extends KubeObject> {
  get(key: string): T | undefined;
  list(): T[];
  addIndex(name: string, keys: (object: T) => readonly string[]): void;
  byIndex(name: string, value: string): T[];
  /** Calls back for everything that is there, now, and for every change from now on. Returns the way to stop. */
  onChange(listener: (key: string, now: T | undefined, before: T | undefined) => void): () => void;
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
