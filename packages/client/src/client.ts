import { apiVersionOf, isJsonObject, type KubeObject, type ResourceInfo, StatusError } from '@flotilla/api';
import type { Logger } from '@flotilla/base';
import { jsonLines } from './json-lines.js';
import { isStatus, statusErrorOf } from './status.js';
import { type ApiRequest, type Transport, TransportError } from './transport.js';

export interface Selection {
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
}

export interface ListOptions extends Selection {
  resourceVersion?: string;
  /** Objects of one page; the answer's `continue` asks for the next one. */
  limit?: number;
  continue?: string;
}

export interface List<T> {
  items: T[];
  /** Of the list; a watch can start from here. */
  resourceVersion: string;
  continue?: string;
}

export interface WatchOptions extends Selection {
  /** Events after this one; absent: starts with what is there as ADDED. */
  resourceVersion?: string;
  allowBookmarks?: boolean;
}

export interface WatchEvent<T> {
  /** A BOOKMARK's object holds nothing but its kind and resourceVersion. */
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  object: T;
}

export interface ObjectRef {
  name: string;
  namespace?: string | undefined;
}

export interface PatchOptions {
  /** `merge` if absent. */
  type?: 'merge' | 'strategic' | 'json';
  subresource?: string;
}

export interface DeleteOptions {
  gracePeriodSeconds?: number;
  /** Preconditions: 409 if the object has another one. */
  uid?: string;
  resourceVersion?: string;
  propagationPolicy?: 'Foreground' | 'Background' | 'Orphan';
}

/**
 * One resource of the API, typed. Everything rejects with `StatusError` as the server said, `TransportError` if it could
 * not be asked or heard.
 */
export interface ResourceClient<T extends KubeObject> {
  readonly info: ResourceInfo<T>;
  get(name: string, namespace?: string): Promise<T>;
  list(options?: ListOptions, signal?: AbortSignal): Promise<List<T>>;
  create(object: T): Promise<T>;
  update(object: T): Promise<T>;
  updateStatus(object: T): Promise<T>;
  /** PUT to a subresource that takes the whole object, such as `finalize`. */
  updateSub(object: T, subresource: string): Promise<T>;
  /** A merge or strategic patch is an object, a JSON patch a list of operations. */
  patch(ref: ObjectRef, patch: object, options?: PatchOptions): Promise<T>;
  delete(ref: ObjectRef, options?: DeleteOptions): Promise<void>;
  /** Throws `StatusError` for an ERROR event (410: list again). Aborting the signal ends it with the signal's reason. */
  watch(options: WatchOptions, signal: AbortSignal): AsyncIterable<WatchEvent<T>>;
  /** POST to a subresource such as `binding`; returns what the server answered. */
  createSub(ref: ObjectRef, subresource: string, body: object): Promise<unknown>;
}

/** The API, over whatever transport. */
export class Client {
  readonly transport: Transport;
  readonly logger: Logger;

  constructor(transport: Transport, options: { logger: Logger }) {
    this.transport = transport;
    this.logger = options.logger;
  }

  resource<T extends KubeObject>(info: ResourceInfo<T>): ResourceClient<T> {
    return new TypedResource(this.transport, info);
  }
}

/** `/api/v1/namespaces/default/pods/web/status` and the like. */
export function pathOf(
  info: ResourceInfo,
  ref: { namespace?: string | undefined; name?: string; sub?: string },
): string {
  const segments = [
    ...(info.group === '' ? ['api'] : ['apis', info.group]),
    info.version,
    ...(info.namespaced && ref.namespace ? ['namespaces', ref.namespace] : []),
    info.resource,
    ...(ref.name === undefined ? [] : [ref.name]),
    ...(ref.sub === undefined ? [] : [ref.sub]),
  ];
  return `/${segments.map(encodeURIComponent).join('/')}`;
}

const patchTypes = {
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  json: 'application/json-patch+json',
} as const;

class TypedResource<T extends KubeObject> implements ResourceClient<T> {
  readonly info: ResourceInfo<T>;
  readonly #transport: Transport;

  constructor(transport: Transport, info: ResourceInfo<T>) {
    this.#transport = transport;
    this.info = info;
  }

  get(name: string, namespace?: string): Promise<T> {
    return this.#object({ method: 'GET', path: this.#path({ name, namespace }) });
  }

  async list(options: ListOptions = {}, signal?: AbortSignal): Promise<List<T>> {
    const query = {
      ...selectionQuery(options),
      ...(options.resourceVersion === undefined ? {} : { resourceVersion: options.resourceVersion }),
      ...(options.limit ? { limit: String(options.limit) } : {}),
      ...(options.continue ? { continue: options.continue } : {}),
    };
    const path = pathOf(this.info, { namespace: options.namespace });
    const body = await this.#send({ method: 'GET', path, query }, undefined, signal);
    if (!isJsonObject(body)) throw new TransportError('protocol', `GET ${path}: not a list`);
    const { items, metadata } = body as {
      items?: T[] | null;
      metadata?: { resourceVersion?: string; continue?: string };
    };
    const apiVersion = apiVersionOf(this.info);
    // Upstream leaves the items' kind out, as it is that of the list.
    for (const item of items ?? []) {
      item.apiVersion ??= apiVersion;
      item.kind ??= this.info.kind;
    }
    return {
      items: items ?? [],
      resourceVersion: metadata?.resourceVersion ?? '',
      ...(metadata?.continue ? { continue: metadata.continue } : {}),
    };
  }

  create(object: T): Promise<T> {
    const { namespace } = object.metadata;
    return this.#object({ method: 'POST', path: pathOf(this.info, { namespace }) }, this.#typed(object));
  }

  update(object: T): Promise<T> {
    return this.#object({ method: 'PUT', path: this.#path(object.metadata) }, this.#typed(object));
  }

  updateStatus(object: T): Promise<T> {
    return this.updateSub(object, 'status');
  }

  updateSub(object: T, subresource: string): Promise<T> {
    return this.#object({ method: 'PUT', path: this.#path(object.metadata, subresource) }, this.#typed(object));
  }

  patch(ref: ObjectRef, patch: object, options: PatchOptions = {}): Promise<T> {
    const contentType = patchTypes[options.type ?? 'merge'];
    return this.#object({ method: 'PATCH', path: this.#path(ref, options.subresource), contentType }, patch);
  }

  async delete(ref: ObjectRef, options: DeleteOptions = {}): Promise<void> {
    const { uid, resourceVersion, ...rest } = options;
    const preconditions = { ...(uid ? { uid } : {}), ...(resourceVersion ? { resourceVersion } : {}) };
    await this.#send(
      { method: 'DELETE', path: this.#path(ref) },
      {
        apiVersion: 'v1',
        kind: 'DeleteOptions',
        ...rest,
        ...(uid || resourceVersion ? { preconditions } : {}),
      },
    );
  }

  async *watch(options: WatchOptions, signal: AbortSignal): AsyncIterable<WatchEvent<T>> {
    const query = {
      watch: 'true',
      ...selectionQuery(options),
      ...(options.resourceVersion === undefined ? {} : { resourceVersion: options.resourceVersion }),
      ...(options.allowBookmarks ? { allowWatchBookmarks: 'true' } : {}),
    };
    const path = pathOf(this.info, { namespace: options.namespace });
    const chunks = await this.#transport.stream({ method: 'GET', path, query, accept: 'application/json' }, signal);
    for await (const line of jsonLines(chunks)) {
      const event = line as { type?: string; object?: T };
      if (event.type === 'ERROR' && isStatus(event.object)) throw new StatusError(event.object);
      if (!isEventType(event.type) || !event.object) throw new TransportError('protocol', 'not a watch event');
      yield { type: event.type, object: event.object };
    }
  }

  createSub(ref: ObjectRef, subresource: string, body: object): Promise<unknown> {
    return this.#send({ method: 'POST', path: this.#path(ref, subresource) }, body);
  }

  #path(ref: { name?: string; namespace?: string | undefined }, sub?: string): string {
    if (!ref.name) throw new TransportError('protocol', `a ${this.info.kind} without a name`);
    return pathOf(this.info, { name: ref.name, namespace: ref.namespace, ...(sub === undefined ? {} : { sub }) });
  }

  #typed(object: T): T {
    return { ...object, apiVersion: apiVersionOf(this.info), kind: this.info.kind };
  }

  async #object(request: ApiRequest, body?: object): Promise<T> {
    return (await this.#send(request, body)) as T;
  }

  async #send(request: ApiRequest, body?: object, signal?: AbortSignal): Promise<unknown> {
    const full: ApiRequest = {
      accept: 'application/json',
      ...(body ? { contentType: 'application/json', body: Buffer.from(JSON.stringify(body)) } : {}),
      ...request,
    };
    const response = await this.#transport.request(full, signal);
    if (response.status >= 300) throw statusErrorOf(response);
    try {
      return JSON.parse(Buffer.from(response.body).toString());
    } catch (error) {
      throw new TransportError('protocol', `${request.method} ${request.path}: the answer is not JSON`, error);
    }
  }
}

function selectionQuery(selection: Selection): Record<string, string> {
  return {
    ...(selection.labelSelector ? { labelSelector: selection.labelSelector } : {}),
    ...(selection.fieldSelector ? { fieldSelector: selection.fieldSelector } : {}),
  };
}

function isEventType(type: string | undefined): type is WatchEvent<KubeObject>['type'] {
  return type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED' || type === 'BOOKMARK';
}
