import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
import { silentLogger } from '@flotilla/base';
import { type ApiRequest, type ApiResponse, Client, type Transport } from '@flotilla/client';
import { systemClock, systemRandom } from '@flotilla/host';
import { findTagged, imageSource, loopbackDriver, processDriver, readStat, StraySweeper } from '@flotilla/sandbox';
import type { ExecutionContext } from 'ava';
import { ConfigCache } from './config-cache.js';
import { type NodeContext, podUidTag } from './pods/node.js';
import { PodWorkers } from './pods/workers.js';

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
    const body = request.body ? (JSON.parse(Buffer.from(request.body).toString()) as JsonObject) : {};
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

/** One node with real processes in a directory of its own, on a fake API. */
export interface TestNode {
  api: FakeApi;
  node: NodeContext;
  events: string[];
  dir: string;
  workers: PodWorkers;
  /** A new agent takes the place of the present one, which ends as if killed. */
  restartAgent(): Promise<void>;
  /** Creates a pod in namespace `default` that is bound to the node. */
  create(name: string, spec: Omit<core.PodSpec, 'containers'> & { containers: PartialContainer[] }): core.Pod;
  /** Resolves with the first status for which `holds`. */
  until(name: string, what: string, holds: (pod: core.Pod) => boolean): Promise<core.Pod>;
  gone(name: string): Promise<void>;
  /** Living processes of the pod, guardians included. */
  processes(pod: core.Pod): Promise<number[]>;
  log(pod: string, container: string): string;
}

export type PartialContainer = Partial<core.Container> & { name: string };

/** `block`: a number of one's own from 1 to 254; the node's addresses are 127.126.<block>.0/24. */
export async function startTestNode(t: ExecutionContext, block: number): Promise<TestNode> {
  const dir = mkdtempSync(join(tmpdir(), 'flotilla-node-'));
  const api = new FakeApi();
  const events: string[] = [];
  writeFileSync(
    join(dir, 'catalogue.json'),
    JSON.stringify({
      images: [
        { names: ['tools'], entrypoint: ['/bin/sh'] },
        { names: ['node'], entrypoint: ['${node}'] },
      ],
    }),
  );
  mkdirSync(join(dir, 'volumes'));
  const client = new Client(api, { logger: silentLogger });
  const shared = { client, clock: systemClock, random: systemRandom, logger: silentLogger };
  let config = new ConfigCache(shared);
  const context = (): NodeContext => ({
    ...shared,
    name: 'node-1',
    nodeIP: `127.126.${block}.1`,
    cluster: { dir, domain: 'cluster.local' },
    podsDir: join(dir, 'pods'),
    volumesDir: join(dir, 'volumes'),
    shim: join(dir, 'no-shim.cjs'),
    allocatable: { cpuMilli: 2000, memoryBytes: 1e9 },
    backoff: { crash: { base: 100, max: 1000 }, image: { base: 100, max: 500 } },
    events: {
      event: (_object, type, reason, message) => void events.push(`${type} ${reason} ${message}`),
      flush: () => Promise.resolve(),
    },
    images: imageSource({ catalogue: join(dir, 'catalogue.json'), registryDir: join(dir, 'images') }),
    processes: processDriver,
    network: loopbackDriver({
      podCIDR: `127.126.${block}.0/24`,
      clusterPodCIDR: '127.126.0.0/16',
      clusterLocalCIDR: '127.190.0.0/16',
      nodeIP: `127.126.${block}.1`,
      dns: `127.126.${block}.1:10053`,
      clusterDomain: 'cluster.local',
      pilot: '127.0.0.1:15010',
    }),
    strays: new StraySweeper(podUidTag),
    config,
    servicesFor: () => [],
  });
  writeFileSync(join(dir, 'no-shim.cjs'), '');
  const start = async (): Promise<void> => {
    config = new ConfigCache(shared);
    test.node = context();
    test.workers = new PodWorkers(test.node);
    const { workers } = test;
    config.onChange((namespace) => workers.configChanged(namespace));
    await workers.start();
  };
  const test: TestNode = {
    api,
    node: context(),
    events,
    dir,
    workers: new PodWorkers(context()),
    restartAgent: async () => {
      await Promise.all([test.workers.release(), config.stop()]);
      await start();
    },
    create: (name, spec) => {
      const complete = (container: PartialContainer): core.Container => ({
        image: 'tools',
        resources: {},
        ...container,
      });
      const containers = spec.containers.map(complete);
      const initContainers = spec.initContainers?.map(complete);
      return api.put<core.Pod>('Pod', {
        metadata: { name, namespace: 'default' },
        spec: { ...spec, containers, ...(initContainers ? { initContainers } : {}), nodeName: 'node-1' },
        status: {},
      });
    },
    until: async (name, what, holds) => {
      for (let i = 0; i < 2000; i++) {
        const pod = api.pod(name);
        if (pod?.status && holds(pod)) return pod;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      throw new Error(`never: ${what}\n${JSON.stringify(api.pod(name)?.status, undefined, 1)}\n${events.join('\n')}`);
    },
    gone: async (name) => {
      for (let i = 0; i < 2000 && api.pod(name); i++) await new Promise((resolve) => setTimeout(resolve, 5));
      if (api.pod(name)) throw new Error(`pod ${name} is still there: ${JSON.stringify(api.pod(name))}`);
    },
    processes: async (pod) => {
      const found = await findTagged({ [podUidTag]: pod.metadata.uid ?? '' });
      return found.filter((pid) => readStat(pid)?.state !== 'Z');
    },
    log: (pod, container) => {
      const log = test.workers.find('default', pod)?.log(container, false);
      return log ? readFileSync(log.file, 'utf8') : '';
    },
  };
  t.teardown(async () => {
    await Promise.all([test.workers.park(0), config.stop()]);
    rmSync(dir, { recursive: true, force: true });
  });
  await start();
  return test;
}
