import { type JsonObject, type KubeObject, type meta, resources } from '@flotilla/api';
import { ManualClock, seededRandom, silentLogger } from '@flotilla/base';
import { MemoryStore, type WindowOptions } from '@flotilla/store';
import { admissionSteps } from '../admission/admit.js';
import { Metrics } from '../metrics.js';
import { Paths } from '../paths/paths.js';
import { Pipeline } from '../pipeline.js';
import type { Request, Response, User } from '../request.js';
import { objectCodec, Objects } from '../storage.js';
import type { NodeStreams } from '../subresources/log.js';

/** Only tests import this: a pipeline over the memory store, on a clock that stands still. */

export interface Answer {
  status: number;
  /** The body as JSON; undefined when it is none. */
  json: JsonObject;
  text: string;
  contentType: string;
  headers: Readonly<Record<string, string>>;
  warnings: readonly string[];
}

/** What is at `path` of a JSON value, e.g. `spec.containers.0.image`. */
export function at(value: unknown, path: string): unknown {
  let found = value;
  for (const step of path.split('.')) {
    if (typeof found !== 'object' || found === null) return undefined;
    found = (found as Record<string, unknown>)[step];
  }
  return found;
}

/** The object at `path`; empty when there is none. */
export const objectAt = (value: unknown, path: string): object => (at(value, path) ?? {}) as object;

/** The list at `path`; empty when there is none. */
export function listAt(value: unknown, path: string): unknown[] {
  const found = at(value, path);
  return Array.isArray(found) ? found : [];
}

/** How long the list at `path` is. */
export function countAt(value: unknown, path: string): number {
  const found = at(value, path);
  return Array.isArray(found) ? found.length : -1;
}

export interface CallOptions {
  query?: Record<string, string>;
  body?: unknown;
  contentType?: string;
  accept?: string;
  /** The administrator if absent; nobody if undefined. */
  user?: User | undefined;
  ifNoneMatch?: string;
}

export const admin: User = { name: 'admin', groups: ['system:masters', 'system:authenticated'] };
export const nodeUser = (name: string): User => ({
  name: `system:node:${name}`,
  groups: ['system:nodes', 'system:authenticated'],
});

const start = Date.parse('2026-01-01T00:00:00Z');

export class TestApi {
  readonly clock = new ManualClock(start);
  readonly store: MemoryStore<KubeObject>;
  readonly objects: Objects;
  readonly pipeline: Pipeline;
  readonly metrics = new Metrics();
  #uid = 0;

  constructor(options: { window?: WindowOptions; nodes?: NodeStreams; profile?: 'fast' | 'kubernetes' } = {}) {
    this.store = new MemoryStore(objectCodec, options.window);
    this.objects = new Objects(this.store);
    const mesh = {
      clusterDomain: 'cluster.local',
      proxyVersion: '1.2.3',
      discoveryAddress: 'istiod.istio-system.svc:15012',
    };
    this.pipeline = new Pipeline({
      objects: this.objects,
      steps: admissionSteps({ profile: options.profile ?? 'kubernetes', serviceCIDR: '10.0.0.0/16', mesh }),
      paths: new Paths({
        serverAddress: '127.0.0.1:6443',
        checks: [{ name: 'ping', failure: () => undefined }],
        metrics: this.metrics,
      }),
      nodes: options.nodes ?? { open: () => Promise.reject(new Error('no nodes here')) },
      metrics: this.metrics,
      clock: this.clock,
      random: seededRandom(1),
      logger: silentLogger,
      newUid: () => `uid-${++this.#uid}`,
    });
  }

  /** A pipeline with the namespace `default`. */
  static async ready(options: ConstructorParameters<typeof TestApi>[0] = {}): Promise<TestApi> {
    const api = new TestApi(options);
    await api.create('namespaces', { metadata: { name: 'default' } });
    return api;
  }

  send(method: string, path: string, options: CallOptions = {}, signal?: AbortSignal): Promise<Response> {
    const body =
      options.body === undefined
        ? new Uint8Array()
        : options.body instanceof Uint8Array
          ? options.body
          : new TextEncoder().encode(typeof options.body === 'string' ? options.body : JSON.stringify(options.body));
    const request: Request = {
      method,
      path,
      query: new URLSearchParams(options.query),
      user: 'user' in options ? options.user : admin,
      accept: options.accept,
      contentType: options.contentType ?? (method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'),
      ifNoneMatch: options.ifNoneMatch,
      userAgent: undefined,
      body,
      signal: signal ?? new AbortController().signal,
    };
    return this.pipeline.handle(request);
  }

  async call(method: string, path: string, options: CallOptions = {}): Promise<Answer> {
    const response = await this.send(method, path, options);
    const pieces: Uint8Array[] = [];
    if (typeof response.body === 'function') {
      const { signal } = new AbortController();
      await response.body({ write: (frame) => Promise.resolve(void pieces.push(frame)) }, signal);
    } else pieces.push(...response.body);
    const text = Buffer.concat(pieces).toString();
    const { status, contentType, headers = {}, warnings = [] } = response;
    return { status, contentType, headers, warnings, text, json: parsed(text) };
  }

  /** Creates by plural, in `default` unless the object says otherwise; throws what the server says. */
  async create(resource: string, object: object, user?: User): Promise<JsonObject> {
    const namespace = (object as KubeObject).metadata.namespace ?? 'default';
    const answer = await this.call('POST', pathOf(resource, namespace), { body: object, ...(user ? { user } : {}) });
    if (answer.status !== 201) throw new Error(`${answer.status}: ${answer.text}`);
    return answer.json;
  }

  get(resource: string, name: string, namespace = 'default'): Promise<Answer> {
    return this.call('GET', `${pathOf(resource, namespace)}/${name}`);
  }

  /** Opens a watch; its events come as they are asked for. */
  async watch(path: string, query: Record<string, string> = {}, options: CallOptions = {}): Promise<TestWatch> {
    const leave = new AbortController();
    const response = await this.send('GET', path, { ...options, query: { watch: 'true', ...query } }, leave.signal);
    return new TestWatch(response, leave);
  }
}

function parsed(text: string): JsonObject {
  try {
    return JSON.parse(text) as JsonObject;
  } catch {
    return {};
  }
}

export function pathOf(resource: string, namespace = 'default'): string {
  const info = resources.find((r) => r.resource === resource && r.version === r.storageVersion);
  if (!info) throw new Error(`no resource ${resource}`);
  const root = info.group ? `/apis/${info.group}/${info.version}` : `/api/${info.version}`;
  return info.namespaced ? `${root}/namespaces/${namespace}/${resource}` : `${root}/${resource}`;
}

export interface TestEvent {
  type: string;
  object: JsonObject & { metadata: meta.ObjectMeta };
}

/** A watch of a test. Leave it in the end. */
export class TestWatch {
  readonly response: Response;
  readonly #leave: AbortController;
  readonly #events: TestEvent[] = [];
  readonly #waiting: ((event: TestEvent | undefined) => void)[] = [];
  readonly ended: Promise<void>;
  #over = false;
  #rest = '';

  constructor(response: Response, leave: AbortController) {
    this.response = response;
    this.#leave = leave;
    const body = response.body;
    const run =
      typeof body === 'function' ? body({ write: (f) => Promise.resolve(this.#take(f)) }, leave.signal) : undefined;
    this.ended = Promise.resolve(run)
      .catch(() => undefined)
      .then(() => {
        this.#over = true;
        for (const resolve of this.#waiting.splice(0)) resolve(undefined);
      });
  }

  #take(frame: Uint8Array): void {
    const lines = (this.#rest + Buffer.from(frame).toString()).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const event = JSON.parse(line) as TestEvent;
      const waiting = this.#waiting.shift();
      if (waiting) waiting(event);
      else this.#events.push(event);
    }
  }

  /** The next event; undefined when the watch has ended. */
  next(): Promise<TestEvent | undefined> {
    const ready = this.#events.shift();
    if (ready || this.#over) return Promise.resolve(ready);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** `ADDED a`, `DELETED b`, …: the next `count` events in short. */
  async short(count: number): Promise<string[]> {
    const out: string[] = [];
    for (let i = 0; i < count; i++) {
      const event = await this.next();
      out.push(event ? `${event.type} ${event.object.metadata?.name ?? ''}`.trim() : 'end');
    }
    return out;
  }

  async leave(): Promise<void> {
    this.#leave.abort(new Error('left'));
    await this.ended;
  }
}
