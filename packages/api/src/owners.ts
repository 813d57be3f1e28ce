import type * as meta from './gen/meta-v1.js';

interface Owned {
  readonly metadata: meta.ObjectMeta;
}

/** The one owner that manages this object, if there is one. */
export function controllerOf(object: Owned): meta.OwnerReference | undefined {
  return object.metadata.ownerReferences?.find((ref) => ref.controller === true);
}

/** Whether `owner` is among the object's owners, by UID. */
export function isOwnedBy(object: Owned, owner: Owned): boolean {
  return object.metadata.ownerReferences?.some((ref) => ref.uid === owner.metadata.uid) ?? false;
}

/** Whether `owner` is the object's managing owner, by UID. */
export function isControlledBy(object: Owned, owner: Owned): boolean {
  return controllerOf(object)?.uid === owner.metadata.uid;
}

/** A reference that makes `owner` the managing owner (upstream's `NewControllerRef`). */
export function controllerRef(
  owner: Owned,
  info: { readonly group: string; readonly version: string; readonly kind: string },
): meta.OwnerReference {
  return {
    apiVersion: info.group === '' ? info.version : `${info.group}/${info.version}`,
    kind: info.kind,
    name: owner.metadata.name ?? '',
    uid: owner.metadata.uid ?? '',
    controller: true,
    blockOwnerDeletion: true,
  };
}
