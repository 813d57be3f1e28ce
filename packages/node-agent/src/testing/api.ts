import { randomUUID } from 'node:crypto';
import {
  applyMergePatch,
  applyStrategicMergePatch,
  type core,
  findResource,
  formatTime,
  type JsonObject,
  type KubeObject,
  notFound,
  StatusError,
} from '@flotilla/api';
import type { ApiRequest, ApiResponse, Transport } from '@flotilla/client';

interface Watcher {
  matches: (object: KubeObject, path: string) => boolean;
  send: (type: string, object: KubeObject) => void;
}

interface Route {
  resource: NonNullable<ReturnType<typeof findResource>>;
  namespace: string;
  name: string;
  sub: string;
}

/** Just enough of an API server, in memory, behind the client's own port: objects, watches, graceful deletion. */
export class FakeApi implements Transport {
  readonly #objects = new Map<string, KubeObject>();
  readonly #watchers = new Set<Watcher>();
  /** Every status that was written, oldest first. */
  readonly statuses: core.Pod[] = [];
  #revision = 1;

  put<T extends KubeObject>(kind: string, object: T): T {
    const plural = { Pod: 'pods', ConfigMap: 'configmaps', Secret: 'secrets' }[kind] ?? `${kind.toLowerCase()}s`;
    const key = this.#key(plural, object.metadata.namespace ?? '', object.metadata.name ?? '');
    return this.#write(key, { apiVersion: 'v1', kind, ...object }) as T;
  }

  /** By `<plural>/<namespace>/<name>`. */
  get<T extends KubeObject>(key: string): T | undefined {
    return this.#objects.get(key) as T | undefined;
  }

  events(): core.Event[] {
    return [...this.#objects].filter(([key]) => key.startsWith('events/')).map(([, object]) => object as core.Event);
  }

  pod(name: string): core.Pod | undefined {
    return this.#objects.get(this.#key('pods', 'default', name)) as core.Pod | undefined;
  }

  /** As `kubectl delete`: with grace the object stays until the agent has ended it. */
  deletePod(name: string, grace = 30): void {
    const pod = this.pod(name);
    if (!pod) return;
    if (grace === 0) return this.#remove(this.#key('pods', 'default', name));
    const metadata = {
      ...pod.metadata,
      deletionTimestamp: formatTime(Date.now() + grace * 1000),
      deletionGracePeriodSeconds: grace,
    };
    this.#write(this.#key('pods', 'default', name), { ...pod, metadata });
  }

  request(request: ApiRequest): Promise<ApiResponse> {
    try {
      return Promise.resolve(respond(200, this.#answer(request)));
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      return Promise.resolve(respond(error.httpStatus, error.status));
    }
  }

  stream({ path, query = {} }: ApiRequest, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    const { resource, namespace } = route(path);
    const prefix = `${resource.resource}/${namespace}`;
    const since = Number(query['resourceVersion'] ?? 0);
    const lines: Buffer[] = [];
    let wake = (): void => undefined;
    const watcher: Watcher = {
      matches: (object, key) => key.startsWith(prefix) && selected(object, query['fieldSelector']),
      send: (type, object) => {
        lines.push(Buffer.from(`${JSON.stringify({ type, object })}\n`));
        wake();
      },
    };
    for (const [key, object] of this.#objects) {
      if (Number(object.metadata.resourceVersion) > since && watcher.matches(object, key))
        watcher.send('ADDED', object);
    }
    this.#watchers.add(watcher);
    signal.addEventListener('abort', () => wake());
    const watchers = this.#watchers;
    return Promise.resolve(
      (async function* () {
        try {
          while (!signal.aborted) {
            yield* lines.splice(0);
            await new Promise<void>((resolve) => (lines.length > 0 || signal.aborted ? resolve() : (wake = resolve)));
          }
        } finally {
          watchers.delete(watcher);
        }
      })(),
    );
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #key(plural: string, namespace: string, name: string): string {
    return `${plural}/${namespace}/${name}`;
  }

  #answer(request: ApiRequest): unknown {
    const { resource, namespace, name, sub } = route(request.path);
    const key = this.#key(resource.resource, namespace, name);
    const body = request.body?.length ? (JSON.parse(Buffer.from(request.body).toString()) as JsonObject) : {};
    if (request.method === 'GET' && name === '') return this.#list(resource.resource, namespace, request.query ?? {});
    if (request.method === 'POST') return this.#create(resource.resource, namespace, body);
    const present = this.#objects.get(key);
    if (!present) throw notFound(resource, name);
    if (request.method === 'GET') return present;
    if (request.method === 'DELETE') {
      const { uid } = (body['preconditions'] ?? {}) as { uid?: string };
      if (uid === undefined || uid === present.metadata.uid) this.#remove(key);
      return {};
    }
    const strategic = request.contentType?.includes('strategic');
    const document = present as KubeObject & JsonObject;
    const patched = strategic
      ? applyStrategicMergePatch(resource.schema, document, body)
      : applyMergePatch(document, body);
    const written = this.#write(key, patched as KubeObject & JsonObject);
    if (sub === 'status' && resource.resource === 'pods') this.statuses.push(written as core.Pod);
    return written;
  }

  #list(plural: string, namespace: string, query: Record<string, string>): unknown {
    const items = [...this.#objects]
      .filter(([key, object]) => key.startsWith(`${plural}/${namespace}`) && selected(object, query['fieldSelector']))
      .map(([, object]) => object);
    return { metadata: { resourceVersion: String(this.#revision) }, items };
  }

  #create(plural: string, namespace: string, body: JsonObject): KubeObject {
    const object = body as JsonObject & KubeObject;
    const name = object.metadata.name ?? `${object.metadata.generateName}${randomUUID()}`;
    return this.#write(this.#key(plural, namespace, name), {
      ...object,
      metadata: { ...object.metadata, name, namespace },
    });
  }

  #write(key: string, object: KubeObject): KubeObject {
    const before = this.#objects.get(key);
    const uid = before?.metadata.uid ?? object.metadata.uid ?? randomUUID();
    const metadata = { ...object.metadata, uid, resourceVersion: String(++this.#revision) };
    const written = JSON.parse(JSON.stringify({ ...object, metadata })) as KubeObject;
    this.#objects.set(key, written);
    this.#tell(before ? 'MODIFIED' : 'ADDED', key, written);
    return written;
  }

  #remove(key: string): void {
    const object = this.#objects.get(key);
    if (!object) return;
    this.#objects.delete(key);
    const metadata = { ...object.metadata, resourceVersion: String(++this.#revision) };
    this.#tell('DELETED', key, { ...object, metadata });
  }

  #tell(type: string, key: string, object: KubeObject): void {
    for (const watcher of this.#watchers) if (watcher.matches(object, key)) watcher.send(type, object);
  }
}

function route(path: string): Route {
  const match =
    /^\/(?:api|apis\/([^/]+))\/([^/]+)(?:\/namespaces\/([^/]+)(?=\/))?\/([^/]+)(?:\/([^/]+))?(?:\/([^/]+))?$/.exec(
      path,
    );
  const [, group = '', version = '', namespace = '', plural = '', name = '', sub = ''] = match ?? [];
  const resource = findResource(group, version, plural);
  if (!resource) throw new Error(`no such path: ${path}`);
  return { resource, namespace, name, sub };
}

function selected(object: KubeObject, selector: string | undefined): boolean {
  const [field = '', value] = (selector ?? '').split('=');
  if (field === '') return true;
  let found: unknown = object;
  for (const part of field.split('.')) found = (found as JsonObject | undefined)?.[part];
  return found === value;
}

function respond(status: number, body: unknown): ApiResponse {
  return { status, contentType: 'application/json', body: Buffer.from(JSON.stringify(body)) };
}
