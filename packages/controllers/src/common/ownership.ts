import { type KubeObject, controllerRef } from '@flotilla/api';
import type { ResourceClient } from '@flotilla/client';
import type { Claims } from './claim.js';
import { nameOf, namespaceOf, uidOf } from './objects.js';

/**
 * Adopts and releases as `claims` says and gives back what the owner controls afterwards. An owner that is terminating in
 * the API but not in our cache must not adopt: it is read again first, as upstream's CanAdopt does.
 */
export async function applyClaims<T extends KubeObject, O extends KubeObject>(
  claims: Claims<T>,
  owner: O,
  clients: { objects: ResourceClient<T>; owners: ResourceClient<O> },
): Promise<T[]> {
  const adopted = claims.adopt.length > 0 ? await adopt(claims.adopt, owner, clients) : [];
  await Promise.all(claims.release.map((object) => release(object, owner, clients.objects)));
  return [...claims.owned, ...adopted];
}

async function adopt<T extends KubeObject, O extends KubeObject>(
  objects: readonly T[],
  owner: O,
  clients: { objects: ResourceClient<T>; owners: ResourceClient<O> },
): Promise<T[]> {
  const fresh = await clients.owners.get(nameOf(owner), namespaceOf(owner));
  if (uidOf(fresh) !== uidOf(owner) || fresh.metadata.deletionTimestamp !== undefined) return [];
  return Promise.all(
    objects.map((object) =>
      clients.objects.patch(
        { name: nameOf(object), namespace: namespaceOf(object) },
        {
          metadata: {
            uid: uidOf(object),
            resourceVersion: object.metadata.resourceVersion,
            ownerReferences: [...(object.metadata.ownerReferences ?? []), controllerRef(owner, clients.owners.info)],
          },
        },
      ),
    ),
  );
}

async function release<T extends KubeObject>(object: T, owner: KubeObject, client: ResourceClient<T>): Promise<void> {
  const ownerReferences = (object.metadata.ownerReferences ?? []).filter((ref) => ref.uid !== uidOf(owner));
  await client.patch(
    { name: nameOf(object), namespace: namespaceOf(object) },
    { metadata: { uid: uidOf(object), resourceVersion: object.metadata.resourceVersion, ownerReferences } },
  );
}
