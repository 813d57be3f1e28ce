import { isStatus, type KubeObject } from '@flotilla/api';
import type { DeleteOptions, ObjectRef, ResourceClient } from '@flotilla/client';
import { nameOf, namespaceOf, uidOf } from './objects.js';

/** How the API addresses an object. */
export function refOf(object: KubeObject): ObjectRef {
  const namespace = object.metadata.namespace;
  return namespace ? { name: nameOf(object), namespace } : { name: nameOf(object) };
}

/** Deletes just this object: one of the same name created since is left alone. Already gone is fine. */
export async function deleteObject<T extends KubeObject>(
  client: ResourceClient<T>,
  object: T,
  options: DeleteOptions = {},
): Promise<void> {
  await ignoring(['NotFound', 'Conflict'], () => client.delete(refOf(object), { uid: uidOf(object), ...options }));
}

/** Runs `call`; gives back undefined if it fails for one of `reasons`. */
export async function ignoring<T>(
  reasons: readonly Parameters<typeof isStatus>[1][],
  call: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await call();
  } catch (error) {
    if (reasons.some((reason) => isStatus(error, reason))) return undefined;
    throw error;
  }
}

export const namespacedKey = (object: KubeObject, name: string): string => `${namespaceOf(object)}/${name}`;
