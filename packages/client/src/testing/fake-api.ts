import { alreadyExists, type core, type KubeObject, configMaps, expired, notFound, StatusError } from '@flotilla/api';
import { silentLogger } from '@flotilla/base';
import { type NatsFixture, type NatsFixtureOptions, startNats } from '@flotilla/testkit';
import type { ExecutionContext } from 'ava';
import type { NatsConnection } from 'nats';
import {
  type ApiRequest,
  type ApiResponse,
  apiRequestOf,
  connectNats,
  type Serving,
  type StreamSink,
  serveRequests,
  serveStreams,
} from '../index.js';

export interface Fleet {
  nats: NatsFixture;
  connect(user: string): Promise<NatsConnection>;
}

/** A NATS server and connections to it, gone after the test. */
export async function fleet(t: ExecutionContext, options: NatsFixtureOptions = {}): Promise<Fleet> {
  const nats = await startNats(options);
  t.teardown(() => nats.close());
  return {
    nats,
    async connect(user) {
      const nc = await connectNats(nats.access(user), { logger: silentLogger });
      t.teardown(() => nc.close());
      return nc;
    },
  };
}

export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5));
}

export const configMap = (name: string, data: Record<string, string> = {}): core.ConfigMap => ({
  metadata: { name, namespace: 'default' },
  data,
});

interface Change {
  type: 'ADDED' | 'MODIFIED' | 'DELETED';
  object: KubeObject;
  revision: number;
}

/** Just enough of an API server for this room's tests: one resource kind per path, list, watch, and a short memory. */
export class FakeApi {
  readonly objects = new Map<string, KubeObject>();
  #changes: Change[] = [];
  #revision = 100;
  #watches = new Set<() => void>();
  /** Counts of what was asked. */
  readonly asked = { list: 0, watch: 0 };

  /** As if `kubectl` had done it. */
  put(object: KubeObject): KubeObject {
    const key = object.metadata.name ?? '';
    const before = this.objects.get(key);
    const now = this.#stamp(
      { kind: 'ConfigMap', apiVersion: 'v1', ...object },
      before?.metadata.uid ?? `uid-${this.#revision}`,
    );
    this.objects.set(key, now);
    this.#tell(before ? 'MODIFIED' : 'ADDED', now);
    return now;
  }

  remove(name: string): void {
    const before = this.objects.get(name);
    this.objects.delete(name);
    if (before) this.#tell('DELETED', this.#stamp(before, before.metadata.uid ?? ''));
  }

  /** Forgets what happened, as after a restart: older watches get 410. */
  forget(): void {
    this.#changes = [];
    this.#oldest = this.#revision;
  }
  #oldest = 100;

  serve(nc: NatsConnection): Serving {
    const requests = serveRequests(nc, 'api.*.request', async (r) => this.respond(r), { logger: silentLogger });
    const streams = serveStreams(
      nc,
      'api.*.stream',
      async (incoming, sink) => {
        const request = apiRequestOf(incoming);
        if (request) await this.#watch(Number(request.query?.resourceVersion ?? 0), sink);
      },
      { logger: silentLogger },
    );
    return { stop: async () => void (await Promise.all([requests.stop(), streams.stop()])) };
  }

  respond(request: ApiRequest): ApiResponse {
    try {
      return json(request.method === 'POST' ? 201 : 200, this.#handle(request));
    } catch (error) {
      if (error instanceof StatusError) return json(error.status.code ?? 500, error.status);
      throw error;
    }
  }

  #handle(request: ApiRequest): object {
    const name = request.path.split('/')[request.path.startsWith('/apis/') ? 7 : 6];
    const body = request.body?.length ? (JSON.parse(Buffer.from(request.body).toString()) as KubeObject) : undefined;
    if (request.method === 'POST' && body) {
      if (this.objects.has(body.metadata.name ?? '')) throw alreadyExists(configMaps, body.metadata.name ?? '');
      return this.put(body);
    }
    if (name === undefined || name === '') {
      this.asked.list++;
      const items = [...this.objects.values()].map(({ kind: _kind, apiVersion: _version, ...rest }) => rest);
      return { kind: 'ConfigMapList', apiVersion: 'v1', metadata: { resourceVersion: String(this.#revision) }, items };
    }
    const object = this.objects.get(name);
    if (!object) throw notFound(configMaps, name);
    if (request.method === 'GET') return object;
    if (request.method === 'DELETE') {
      this.remove(name);
      return object;
    }
    if (request.method === 'PATCH') return this.put({ ...object, ...body, metadata: object.metadata });
    return this.put(body!);
  }

  async #watch(from: number, sink: StreamSink): Promise<void> {
    this.asked.watch++;
    if (from < this.#oldest) {
      const { status } = expired(`too old resource version: ${from} (${this.#oldest})`);
      return sink.refuse(410, { 'Content-Type': 'application/json' }, Buffer.from(JSON.stringify(status)));
    }
    sink.start(200, { 'Content-Type': 'application/json' });
    let at = from;
    while (!sink.signal.aborted) {
      const fresh = this.#changes.filter((change) => change.revision > at);
      for (const { type, object, revision } of fresh) {
        await sink.write(Buffer.from(`${JSON.stringify({ type, object })}\n`));
        at = revision;
      }
      await new Promise<void>((resolve) => {
        this.#watches.add(resolve);
        sink.signal.addEventListener('abort', () => resolve(), { once: true });
        if (this.#revision > at && this.#changes.some((c) => c.revision > at)) resolve();
      });
    }
  }

  #stamp(object: KubeObject, uid: string): KubeObject {
    return { ...object, metadata: { ...object.metadata, uid, resourceVersion: String(++this.#revision) } };
  }

  #tell(type: Change['type'], object: KubeObject): void {
    this.#changes.push({ type, object, revision: this.#revision });
    for (const wake of this.#watches) wake();
    this.#watches.clear();
  }
}

function json(status: number, body: object): ApiResponse {
  return { status, contentType: 'application/json', body: Buffer.from(JSON.stringify(body)) };
}
