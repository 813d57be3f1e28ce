import {
  type apps,
  configMaps,
  coreEvents,
  type core,
  deployments,
  type discovery,
  endpointSlices,
  endpoints,
  eventsK8sIo,
  type KubeObject,
  namespaces,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  type ResourceInfo,
  replicaSets,
  resources,
  serviceAccounts,
  services,
  type storage,
  storageClasses,
  controllerOf,
} from '@flotilla/api';
import type { Cache } from '@flotilla/client';
import { namespaceOf } from './common/objects.js';

/** One cache a kind, shared by all controllers. */
export interface Caches {
  readonly pods: Cache<core.Pod>;
  readonly nodes: Cache<core.Node>;
  readonly namespaces: Cache<core.Namespace>;
  readonly services: Cache<core.Service>;
  readonly endpoints: Cache<core.Endpoints>;
  readonly endpointSlices: Cache<discovery.EndpointSlice>;
  readonly configMaps: Cache<core.ConfigMap>;
  readonly serviceAccounts: Cache<core.ServiceAccount>;
  readonly persistentVolumes: Cache<core.PersistentVolume>;
  readonly persistentVolumeClaims: Cache<core.PersistentVolumeClaim>;
  readonly storageClasses: Cache<storage.StorageClass>;
  readonly deployments: Cache<apps.Deployment>;
  readonly replicaSets: Cache<apps.ReplicaSet>;
  /** Every kind that is stored, the above among them; events are left out. */
  readonly all: ReadonlyMap<ResourceInfo, Cache<KubeObject>>;
}

/** The resources whose objects can own, be owned, and fill a namespace: one view of each stored kind but events. */
export const collectedResources: readonly ResourceInfo[] = resources.filter(
  (info) => info.version === info.storageVersion && info.kind !== 'Event',
);

/** All stored kinds, one view of each: what a namespace is emptied of. */
export const storedResources: readonly ResourceInfo[] = [...collectedResources, coreEvents].filter(
  (info) => info !== eventsK8sIo,
);

export const byNamespace = 'namespace';
/** By the uid of the controlling owner. */
export const byController = 'controller';
export const byNode = 'node';
/** Pods by `namespace/claim name`. */
export const byClaim = 'claim';
/** Endpoint slices by `namespace/service name`. */
export const byService = 'service';

/** Makes the caches with `open`, called once a kind, and declares their indexes. */
export function createCaches(open: <T extends KubeObject>(info: ResourceInfo<T>) => Cache<T>): Caches {
  const all = new Map<ResourceInfo, Cache<KubeObject>>();
  const shared = <T extends KubeObject>(info: ResourceInfo<T>): Cache<T> => {
    const cache = open(info);
    if (info.namespaced) cache.addIndex(byNamespace, (object) => [namespaceOf(object)]);
    all.set(info, cache);
    return cache;
  };
  const caches = {
    pods: shared(pods),
    nodes: shared(nodes),
    namespaces: shared(namespaces),
    services: shared(services),
    endpoints: shared(endpoints),
    endpointSlices: shared(endpointSlices),
    configMaps: shared(configMaps),
    serviceAccounts: shared(serviceAccounts),
    persistentVolumes: shared(persistentVolumes),
    persistentVolumeClaims: shared(persistentVolumeClaims),
    storageClasses: shared(storageClasses),
    deployments: shared(deployments),
    replicaSets: shared(replicaSets),
  };
  for (const info of collectedResources) if (!all.has(info)) shared(info);
  addIndexes(caches);
  return { ...caches, all };
}

function addIndexes(caches: Omit<Caches, 'all'>): void {
  const controller = (object: KubeObject): string[] => {
    const ref = controllerOf(object);
    return ref ? [ref.uid] : [];
  };
  caches.pods.addIndex(byController, controller);
  caches.replicaSets.addIndex(byController, controller);
  caches.pods.addIndex(byNode, (pod) => (pod.spec.nodeName ? [pod.spec.nodeName] : []));
  caches.pods.addIndex(byClaim, claimKeys);
  caches.endpointSlices.addIndex(byService, (slice) => {
    const service = slice.metadata.labels?.['kubernetes.io/service-name'];
    return service ? [`${namespaceOf(slice)}/${service}`] : [];
  });
}

function claimKeys(pod: core.Pod): string[] {
  return (pod.spec.volumes ?? []).flatMap((volume) => {
    const name =
      volume.persistentVolumeClaim?.claimName ?? (volume.ephemeral ? `${pod.metadata.name}-${volume.name}` : '');
    return name ? [`${namespaceOf(pod)}/${name}`] : [];
  });
}
