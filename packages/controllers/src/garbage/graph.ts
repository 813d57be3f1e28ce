import type { KubeObject, meta, ResourceInfo } from '@flotilla/api';
import { isTerminating, uidOf } from '../common/objects.js';

export const foregroundFinalizer = 'foregroundDeletion';
export const orphanFinalizer = 'orphan';

export interface GraphNode {
  info: ResourceInfo;
  object: KubeObject;
}

export const ownersOf = (object: KubeObject): readonly meta.OwnerReference[] => object.metadata.ownerReferences ?? [];

/** Being deleted in the foreground: it goes when the dependents that block it have gone. */
export const isDeletingDependents = (object: KubeObject): boolean =>
  isTerminating(object) && (object.metadata.finalizers ?? []).includes(foregroundFinalizer);

export const isOrphaning = (object: KubeObject): boolean =>
  isTerminating(object) && (object.metadata.finalizers ?? []).includes(orphanFinalizer);

/** Who owns whom, by uid, over all kinds. A picture of the caches; it may be behind the API. */
export class OwnerGraph {
  readonly #nodes = new Map<string, GraphNode>();
  readonly #dependents = new Map<string, Set<string>>();

  get(uid: string): GraphNode | undefined {
    return this.#nodes.get(uid);
  }

  dependentsOf(uid: string): GraphNode[] {
    return [...(this.#dependents.get(uid) ?? [])].flatMap((dependent) => this.#nodes.get(dependent) ?? []);
  }

  put(info: ResourceInfo, object: KubeObject): void {
    this.#unlink(uidOf(object));
    this.#nodes.set(uidOf(object), { info, object });
    for (const { uid } of ownersOf(object)) {
      const dependents = this.#dependents.get(uid) ?? new Set();
      this.#dependents.set(uid, dependents.add(uidOf(object)));
    }
  }

  remove(uid: string): void {
    this.#unlink(uid);
    this.#nodes.delete(uid);
  }

  #unlink(uid: string): void {
    const present = this.#nodes.get(uid);
    if (!present) return;
    for (const owner of ownersOf(present.object)) {
      const dependents = this.#dependents.get(owner.uid);
      dependents?.delete(uid);
      if (dependents?.size === 0) this.#dependents.delete(owner.uid);
    }
  }
}
