import { type KubeObject, parseTime } from '@flotilla/api';

/** `metadata.name`, which every persisted object has. */
export const nameOf = (object: KubeObject): string => object.metadata.name ?? '';
export const namespaceOf = (object: KubeObject): string => object.metadata.namespace ?? '';
export const uidOf = (object: KubeObject): string => object.metadata.uid ?? '';
export const isTerminating = (object: KubeObject): boolean => object.metadata.deletionTimestamp !== undefined;

/** Milliseconds since the epoch of a Time, or `fallback` if absent. */
export const timeOf = (time: string | undefined, fallback = 0): number => parseTime(time) ?? fallback;

/** Oldest first; equal times by name, so that the order is total. */
export function byCreation(a: KubeObject, b: KubeObject): number {
  const left = timeOf(a.metadata.creationTimestamp);
  const right = timeOf(b.metadata.creationTimestamp);
  return left - right || (nameOf(a) < nameOf(b) ? -1 : nameOf(a) > nameOf(b) ? 1 : 0);
}
