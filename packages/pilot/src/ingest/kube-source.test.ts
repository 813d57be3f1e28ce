import type { KubeObject } from '@flotilla/api';
import { seededRandom, silentLogger } from '@flotilla/base';
import { type ApiRequest, type ApiResponse, Client, type Transport } from '@flotilla/client';
import { systemClock } from '@flotilla/host';
import test from 'ava';
import { KubeSource } from './kube-source.js';
import { World } from './world.js';

/** An API server in memory: lists, watches and patches, just enough for informers. */
class MemoryApi implements Transport {
  readonly #objects = new Map<string, Map<string, KubeObject>>();
  readonly #watches = new Map<string, Set<(event: object) => void>>();
  readonly patches: { path: string; body: unknown }[] = [];
  #revision = 1;

  put(path: string, object: KubeObject & Record<string, unknown>): void {
    const objects = this.#objects.get(path) ?? new Map<string, KubeObject>();
    this.#objects.set(path, objects);
    const key = `${object.metadata.namespace}/${object.metadata.name}`;
    const type = objects.has(key) ? 'MODIFIED' : 'ADDED';
    const now = { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.#revision) } };
    objects.set(key, now);
    for (const tell of this.#watches.get(path) ?? []) tell({ type, object: now });
  }

  request({ method, path, body }: ApiRequest): Promise<ApiResponse> {
    if (method === 'PATCH') {
      this.patches.push({ path, body: JSON.parse(Buffer.from(body ?? []).toString()) });
      return Promise.resolve(json({ metadata: { name: 'x' } }));
    }
    const items = [...(this.#objects.get(path)?.values() ?? [])];
    return Promise.resolve(json({ kind: 'List', metadata: { resourceVersion: String(this.#revision) }, items }));
  }

  stream({ path }: ApiRequest, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    const waiting: Uint8Array[] = [];
    let wake = (): void => undefined;
    const tell = (event: object): void => {
      waiting.push(Buffer.from(`${JSON.stringify(event)}\n`));
      wake();
    };
    const watches = this.#watches.get(path) ?? new Set();
    this.#watches.set(path, watches.add(tell));
    signal.addEventListener('abort', () => wake(), { once: true });
    async function* frames(): AsyncGenerator<Uint8Array> {
      while (!signal.aborted) {
        yield* waiting.splice(0);
        await new Promise<void>((resolve) => {
          wake = resolve;
          if (waiting.length > 0 || signal.aborted) resolve();
        });
      }
    }
    return Promise.resolve(frames());
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

const json = (body: object): ApiResponse => ({
  status: 200,
  contentType: 'application/json',
  body: Buffer.from(JSON.stringify(body)),
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

const gateway = (ip: string): KubeObject & Record<string, unknown> => ({
  metadata: { name: 'istio-ingressgateway', namespace: 'istio-system' },
  spec: { ports: [{ name: 'http2', port: 80, targetPort: 8080 }] },
  status: { loadBalancer: { ingress: [{ ip }] } },
});

test('the world follows the API, and Ingresses follow the gateway', async (t) => {
  const api = new MemoryApi();
  api.put('/api/v1/services', gateway('127.0.0.1'));
  const world = new World({ domain: 'cluster.local', rootNamespace: 'istio-system' });
  let changes = 0;
  const source = new KubeSource({
    client: new Client(api, { logger: silentLogger }),
    world,
    clock: systemClock,
    random: seededRandom(1),
    logger: silentLogger,
    onChange: () => changes++,
  });
  t.teardown(() => source.stop());
  await source.start();
  t.deepEqual([...world.snapshot().config.services.keys()], ['istio-ingressgateway.istio-system.svc.cluster.local']);

  const before = changes;
  const ingress: KubeObject & Record<string, unknown> = {
    metadata: { name: 'web', namespace: 'default' },
    spec: { ingressClassName: 'istio', defaultBackend: { service: { name: 'web', port: { number: 80 } } } },
    status: { loadBalancer: {} },
  };
  api.put('/apis/networking.k8s.io/v1/ingresses', ingress);
  await until(() => api.patches.length === 1);
  t.true(changes > before);
  t.is(world.snapshot().config.gateways.length, 1);
  t.deepEqual(api.patches[0], {
    path: '/apis/networking.k8s.io/v1/namespaces/default/ingresses/web/status',
    body: { status: { loadBalancer: { ingress: [{ ip: '127.0.0.1' }] } } },
  });

  const settled = changes;
  api.put('/apis/networking.k8s.io/v1/ingresses', {
    ...ingress,
    status: { loadBalancer: { ingress: [{ ip: '127.0.0.1' }] } },
  });
  api.put('/api/v1/services', gateway('127.0.0.2'));
  await until(() => api.patches.length === 2);
  t.is(changes, settled, 'neither a status is news to the mesh');
});
