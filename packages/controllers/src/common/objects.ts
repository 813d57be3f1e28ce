import { type KubeObject, type meta } from '@flotilla/api';

/** `metadata.name`, which every persisted object has. */
export const nameOf = (object: KubeObject): string => object.metadata.name ?? '';
export const namespaceOf = (object: KubeObject): string => object.metadata.namespace ?? '';
export const uidOf = (object: KubeObject): string => object.metadata.uid ?? '';
export const isTerminating = (object: KubeObject): boolean => object.metadata.deletionTimestamp !== undefined;

/** Kubernetes' Time on the wire: RFC 3339 in UTC with whole seconds. `now` in milliseconds since the epoch. */
export const timestamp = (now: number): string => `${new Date(now).toISOString().slice(0, 19)}Z`;

/** Milliseconds since the epoch of a Time, or `fallback` if absent. */
export const timeOf = (time: string | undefined, fallback = 0): number => (time ? Date.parse(time) : fallback);

/** The owner that manages the object, if any. */
export function controllerRef(object: KubeObject): meta.OwnerReference | undefined {
  return object.metadata.ownerReferences?.find((ref) => ref.controller === true);
}

/** The reference by which `owner` controls a dependent (metav1.NewControllerRef). */
export function ownerRefTo(owner: KubeObject, apiVersion: string, kind: string): meta.OwnerReference {
  return { apiVersion, kind, name: nameOf(owner), uid: uidOf(owner), controller: true, blockOwnerDeletion: true };
}

/** Oldest first; equal times by name, so that the order is total. */
export function byCreation(a: KubeObject, b: KubeObject): number {
  const left = timeOf(a.metadata.creationTimestamp);
  const right = timeOf(b.metadata.creationTimestamp);
  return left - right || (nameOf(a) < nameOf(b) ? -1 : nameOf(a) > nameOf(b) ? 1 : 0);
}
