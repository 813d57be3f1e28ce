import { type core, type KubeObject, namespaces, pods, type ResourceInfo } from '@flotilla/api';
import { describeError, done, type Outcome, retryAfter } from '@flotilla/base';
import { storedResources } from '../caches.js';
import { deleteObject, ignoring } from '../common/calls.js';
import { equivalent } from '../common/equivalent.js';
import { isTerminating, nameOf, namespaceOf } from '../common/objects.js';
import type { ControllerContext, RunningController } from '../context.js';
import { reconciler, running } from '../reconciler.js';
import { namespaceConditions, type RemainingContent } from './decide.js';

const contentFinalizer = 'kubernetes';
/** Objects of kinds that are not cached (events) may come late; their end is not seen. */
const lookAgainMs = 1000;

/** Empties terminating namespaces: pods first, as they may need the rest to end well, then everything. */
export function namespaceController(ctx: ControllerContext): RunningController {
  const { caches } = ctx;
  const client = ctx.client.resource(namespaces);
  const contents = storedResources.filter((info) => info.namespaced);
  const queue = reconciler(ctx, 'namespace', reconcile);

  async function reconcile(name: string): Promise<Outcome> {
    const namespace = caches.namespaces.get(name);
    if (!namespace || !isTerminating(namespace)) return done;
    if (!(namespace.spec.finalizers ?? []).includes(contentFinalizer)) return done;
    const marked = await markTerminating(namespace);
    const remaining = await empty(name);
    if (remaining.errors.length > 0 || remaining.resources.some((r) => r.objects.length > 0)) {
      await writeConditions(marked, remaining);
      return retryAfter(lookAgainMs);
    }
    await finalize(marked);
    return done;
  }

  async function markTerminating(namespace: core.Namespace): Promise<core.Namespace> {
    if (namespace.status.phase === 'Terminating') return namespace;
    return client.updateStatus({ ...namespace, status: { ...namespace.status, phase: 'Terminating' } });
  }

  async function empty(namespace: string): Promise<RemainingContent> {
    const first = await sweep([pods], namespace);
    if (first.errors.length > 0 || first.resources.some((r) => r.objects.length > 0)) return first;
    return sweep(
      contents.filter((info) => info !== pods),
      namespace,
    );
  }

  /** Deletes everything of these kinds and reports what is still there afterwards. */
  async function sweep(infos: readonly ResourceInfo[], namespace: string): Promise<RemainingContent> {
    const errors: string[] = [];
    const resources = await Promise.all(
      infos.map(async (info) => {
        let objects: KubeObject[] = [];
        try {
          objects = await sweepKind(info, namespace);
        } catch (error) {
          errors.push(describeError(error));
        }
        return { resource: info.resource, group: info.group, objects };
      }),
    );
    return { resources, errors };
  }

  async function sweepKind(info: ResourceInfo, namespace: string): Promise<KubeObject[]> {
    const resource = ctx.client.resource(info);
    const { items } = await resource.list({ namespace });
    const doomed = items.filter((object) => !isTerminating(object));
    if (doomed.length > 0) {
      await Promise.all(doomed.map((object) => deleteObject(resource, object, { propagationPolicy: 'Background' })));
      return (await resource.list({ namespace })).items;
    }
    return items;
  }

  async function writeConditions(namespace: core.Namespace, remaining: RemainingContent): Promise<void> {
    const conditions = namespaceConditions(namespace.status.conditions ?? [], remaining, ctx.clock.now());
    if (equivalent(conditions, namespace.status.conditions)) return;
    await client.updateStatus({ ...namespace, status: { ...namespace.status, conditions } });
  }

  /** PUT of the finalize subresource, which alone may change spec.finalizers. */
  async function finalize(namespace: core.Namespace): Promise<void> {
    const finalizers = (namespace.spec.finalizers ?? []).filter((f) => f !== contentFinalizer);
    await ignoring(['NotFound'], () =>
      client.updateSub({ ...namespace, spec: { ...namespace.spec, finalizers } }, 'finalize'),
    );
  }

  const listeners = [
    caches.namespaces.onChange((key, now) => now && isTerminating(now) && queue.add(key)),
    // The last object's end is what a terminating namespace waits for.
    ...[...caches.all].map(([info, cache]) =>
      cache.onChange((_key, now, before) => {
        if (now || !before || !info.namespaced) return;
        const namespace = caches.namespaces.get(namespaceOf(before));
        if (namespace && isTerminating(namespace)) queue.add(nameOf(namespace));
      }),
    ),
  ];
  return running(queue, listeners);
}
