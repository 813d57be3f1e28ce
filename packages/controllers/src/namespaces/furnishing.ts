import { configMaps, type KubeObject, type ResourceInfo, serviceAccounts } from '@flotilla/api';
import { done, type KeyedQueue, type Outcome } from '@flotilla/base';
import type { Cache } from '@flotilla/client';
import { ignoring } from '../common/calls.js';
import { equivalent } from '../common/equivalent.js';
import { isTerminating, nameOf, namespaceOf } from '../common/objects.js';
import type { ControllerContext, RunningController } from '../context.js';
import { reconciler, running } from '../reconciler.js';

/** Every namespace has a ServiceAccount `default`, which pods without one run as. */
export function serviceAccountController(ctx: ControllerContext): RunningController {
  return furnish(ctx, 'serviceaccount', serviceAccounts, ctx.caches.serviceAccounts, {
    name: 'default',
    build: (namespace) => ({
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'default', namespace },
    }),
    // Its secrets and annotations belong to others.
    isRight: () => true,
  });
}

const rootCADescription =
  'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.';

/** Every namespace has a ConfigMap `kube-root-ca.crt` with the CA by which pods trust the API server. */
export function rootCAController(ctx: ControllerContext): RunningController {
  const data = { 'ca.crt': ctx.config.clusterCA };
  return furnish(ctx, 'root-ca-certificate', configMaps, ctx.caches.configMaps, {
    name: 'kube-root-ca.crt',
    build: (namespace) => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        name: 'kube-root-ca.crt',
        namespace,
        annotations: { 'kubernetes.io/description': rootCADescription },
      },
      data,
    }),
    isRight: (present) => equivalent(present.data, data),
  });
}

interface Furniture<T> {
  name: string;
  build(namespace: string): T;
  isRight(present: T): boolean;
}

/** Keeps one object of a given name in every namespace that is not being deleted. */
function furnish<T extends KubeObject>(
  ctx: ControllerContext,
  name: string,
  info: ResourceInfo<T>,
  cache: Cache<T>,
  furniture: Furniture<T>,
): RunningController {
  const { caches } = ctx;
  const client = ctx.client.resource(info);
  const queue: KeyedQueue = reconciler(ctx, name, reconcile);

  async function reconcile(namespaceName: string): Promise<Outcome> {
    const namespace = caches.namespaces.get(namespaceName);
    if (!namespace || isTerminating(namespace)) return done;
    const present = cache.get(`${namespaceName}/${furniture.name}`);
    const wanted = furniture.build(namespaceName);
    if (!present) {
      // The namespace may have begun to terminate, which forbids new content.
      await ignoring(['AlreadyExists', 'NotFound', 'Forbidden'], () => client.create(wanted));
    } else if (!furniture.isRight(present)) {
      await client.update({ ...wanted, metadata: { ...wanted.metadata, ...present.metadata } });
    }
    return done;
  }

  const listeners = [
    caches.namespaces.onChange((key, now) => now && queue.add(key)),
    cache.onChange((_key, now, before) => {
      const object = now ?? before;
      if (object && nameOf(object) === furniture.name) queue.add(namespaceOf(object));
    }),
  ];
  return running(queue, listeners);
}
