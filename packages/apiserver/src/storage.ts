import {
  alreadyExists,
  conflict,
  type KubeObject,
  notFound,
  type ResourceInfo,
  serviceUnavailable,
  type StatusError,
  timeout,
  tooLarge,
} from '@flotilla/api';
import {
  NotWriter,
  ObjectTooLarge,
  type Store,
  StoreClosed,
  type StoreCodec,
  StoreUnavailable,
  storeKey,
  storePrefix,
} from '@flotilla/store';
import { convert } from './versions.js';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function withRevision(object: KubeObject, revision: number | undefined): KubeObject {
  const resourceVersion = revision === undefined ? undefined : String(revision);
  return { ...object, metadata: { ...object.metadata, resourceVersion } };
}

/** Objects are stored as JSON without their resourceVersion, which is the revision of the write itself. */
export const objectCodec: StoreCodec<KubeObject> = {
  encode: (object) => encoder.encode(JSON.stringify(withRevision(object, undefined))),
  decode: (bytes, revision) => withRevision(JSON.parse(decoder.decode(bytes)) as KubeObject, revision),
  stamp: withRevision,
};

export type ObjectStore = Store<KubeObject>;

/** All versions and views of a kind share the keys of the one that is stored. */
export function prefixOf(info: ResourceInfo, namespace = ''): string {
  const { group, resource } = storedAs(info);
  return storePrefix(namespace && info.namespaced ? { group, resource, namespace } : { group, resource });
}

export function keyFor(info: ResourceInfo, namespace: string, name: string): string {
  const { group, resource } = storedAs(info);
  return storeKey(info.namespaced ? { group, resource, namespace, name } : { group, resource, name });
}

/** `storageKey` is `resource` or `resource.group` of the kind that is stored in place of this one. */
function storedAs(info: ResourceInfo): { group: string; resource: string } {
  if (info.storageKey === undefined) return info;
  const [resource = '', ...group] = info.storageKey.split('.');
  return { group: group.join('.'), resource };
}

/** What the API's objects need of the store: by kind, in the version that was asked for, with the API's errors. */
export class Objects {
  readonly store: ObjectStore;

  constructor(store: ObjectStore) {
    this.store = store;
  }

  find<T extends KubeObject>(info: ResourceInfo<T>, namespace: string, name: string): T | undefined {
    const entry = this.store.get(keyFor(info, namespace, name));
    return entry && (convert(info, entry.value) as T);
  }

  /** Throws 404. */
  get<T extends KubeObject>(info: ResourceInfo<T>, namespace: string, name: string): T {
    const object = this.find(info, namespace, name);
    if (!object) throw notFound(info, name);
    return object;
  }

  list<T extends KubeObject>(info: ResourceInfo<T>, namespace = ''): T[] {
    return this.store.list(prefixOf(info, namespace)).entries.map((e) => convert(info, e.value) as T);
  }

  /** Throws 409 AlreadyExists. */
  async create<T extends KubeObject>(info: ResourceInfo<T>, object: T): Promise<T> {
    const { namespace = '', name = '' } = object.metadata;
    const written = await this.#write(info, namespace, name, object, 0);
    if (!written) throw alreadyExists(info, name);
    return written;
  }

  /** Undefined when `before` is no longer what is stored. */
  replace<T extends KubeObject>(info: ResourceInfo<T>, object: T, before: T): Promise<T | undefined> {
    const { namespace = '', name = '' } = before.metadata;
    return this.#write(info, namespace, name, object, revisionOf(before));
  }

  /** The final state, carrying the deletion's revision; undefined when `before` is no longer what is stored. */
  remove<T extends KubeObject>(info: ResourceInfo<T>, before: T): Promise<T | undefined> {
    const { namespace = '', name = '' } = before.metadata;
    return this.#write(info, namespace, name, undefined, revisionOf(before));
  }

  async #write<T extends KubeObject>(
    info: ResourceInfo<T>,
    namespace: string,
    name: string,
    object: T | undefined,
    expect: number,
  ): Promise<T | undefined> {
    const value = object && convert(info, object, 'stored');
    try {
      const result = await this.store.write({ key: keyFor(info, namespace, name), value, expect });
      return 'conflict' in result ? undefined : (convert(info, result.value) as T);
    } catch (error) {
      throw storeFailure(error) ?? error;
    }
  }
}

export function revisionOf(object: KubeObject): number {
  return Number(object.metadata.resourceVersion ?? 0);
}

/** What the API says when the store cannot. */
export function storeFailure(error: unknown): StatusError | undefined {
  if (error instanceof ObjectTooLarge) return tooLarge(`limit is ${error.limit}`);
  if (error instanceof NotWriter) return serviceUnavailable('this API server does not lead');
  if (error instanceof StoreClosed) return serviceUnavailable('the API server is shutting down');
  if (error instanceof StoreUnavailable) {
    return error.outcome === 'unknown'
      ? timeout('request did not complete within the allotted time; its outcome is unknown', 1)
      : serviceUnavailable('the store is unavailable, please try again');
  }
  return undefined;
}

/** 409 for an update of something that has changed since it was read. */
export const stale = (info: ResourceInfo, name: string): StatusError => conflict(info, name);
