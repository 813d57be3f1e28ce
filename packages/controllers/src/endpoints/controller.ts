import { type core, type discovery, endpointSlices, endpoints, keyOf, LabelSelector } from '@flotilla/api';
import { done, type KeyedQueue, type Outcome } from '@flotilla/base';
import { byNamespace, byService } from '../caches.js';
import { deleteObject, ignoring } from '../common/calls.js';
import { equivalent } from '../common/equivalent.js';
import { Expectations } from '../common/expectations.js';
import { isTerminating, nameOf, namespaceOf, uidOf } from '../common/objects.js';
import type { ControllerContext, RunningController } from '../context.js';
import { reconciler, running } from '../reconciler.js';
import { decideEndpoints } from './endpoints.js';
import { selectsPods } from './pods.js';
import { decideSlices, managedByLabel, serviceNameLabel, sliceController } from './slices.js';

const zoneLabel = 'topology.kubernetes.io/zone';

/** Service, Pods → EndpointSlices. */
export function endpointSliceController(ctx: ControllerContext): RunningController {
  const { caches } = ctx;
  const client = ctx.client.resource(endpointSlices);
  const expectations = new Expectations(ctx.clock);
  const queue = reconciler(ctx, 'endpointslice', reconcile);

  async function reconcile(key: string): Promise<Outcome> {
    const service = caches.services.get(key);
    const slices = caches.endpointSlices
      .byIndex(byService, key)
      .filter((slice) => slice.metadata.labels?.[managedByLabel] === sliceController);
    if (!service) {
      // The garbage collector would do it too; nobody should be routed to a service that is gone meanwhile.
      expectations.forget(key);
      await Promise.all(slices.map((slice) => deleteObject(client, slice)));
      return done;
    }
    if (!selectsPods(service) || isTerminating(service)) return done;
    // A slice of ours that the cache does not show yet would be made twice; its arrival calls us again.
    if (!expectations.satisfied(key)) return done;
    const pods = selectedPods(ctx, service);
    const zoneOf = (node: string): string | undefined => caches.nodes.get(node)?.metadata.labels?.[zoneLabel];
    const plan = decideSlices({ service, pods, slices: slices.filter((s) => !isTerminating(s)), zoneOf });
    if (plan.create.length > 0) expectations.expectCreations(key, plan.create.length);
    const results = await Promise.allSettled([
      ...plan.create.map((slice) => create(key, slice)),
      ...plan.update.map((slice) => client.update(slice)),
      ...plan.remove.map((slice) => deleteObject(client, slice)),
    ]);
    for (const result of results) if (result.status === 'rejected') throw result.reason;
    return done;
  }

  async function create(key: string, slice: discovery.EndpointSlice): Promise<void> {
    try {
      await client.create(slice);
    } catch (error) {
      expectations.creationObserved(key);
      throw error;
    }
  }

  function sliceChanged(now: discovery.EndpointSlice | undefined, before: discovery.EndpointSlice | undefined): void {
    const slice = now ?? before;
    const service = slice?.metadata.labels?.[serviceNameLabel];
    if (!slice || !service || slice.metadata.labels?.[managedByLabel] !== sliceController) return;
    const key = `${namespaceOf(slice)}/${service}`;
    if (now && (!before || uidOf(before) !== uidOf(now))) expectations.creationObserved(key);
    queue.add(key);
  }

  const listeners = [
    ...feedFromServicesAndPods(ctx, queue),
    caches.endpointSlices.onChange((_key, now, before) => sliceChanged(now, before)),
    caches.nodes.onChange((_key, now, before) => {
      if (now?.metadata.labels?.[zoneLabel] === before?.metadata.labels?.[zoneLabel]) return;
      for (const service of caches.services.list()) queue.add(keyOf(service));
    }),
  ];
  return running(queue, listeners);
}

/** Service, Pods → Endpoints, the older form that some clients still read. */
export function endpointsController(ctx: ControllerContext): RunningController {
  const { caches } = ctx;
  const client = ctx.client.resource(endpoints);
  const queue = reconciler(ctx, 'endpoints', reconcile);

  async function reconcile(key: string): Promise<Outcome> {
    const service = caches.services.get(key);
    const present = caches.endpoints.get(key);
    if (!service) {
      if (present && isOurs(present)) await deleteObject(client, present);
      return done;
    }
    if (!selectsPods(service) || isTerminating(service)) return done;
    const wanted = decideEndpoints(service, selectedPods(ctx, service), present);
    if (!wanted) return done;
    if (present) await client.update(wanted);
    else await ignoring(['AlreadyExists'], () => client.create(wanted));
    return done;
  }

  const listeners = [...feedFromServicesAndPods(ctx, queue), caches.endpoints.onChange((key) => queue.add(key))];
  return running(queue, listeners);
}

const isOurs = (object: core.Endpoints): boolean =>
  object.metadata.labels?.['endpoints.kubernetes.io/managed-by'] === 'endpoint-controller';

function selectedPods(ctx: ControllerContext, service: core.Service): core.Pod[] {
  const selector = LabelSelector.ofLabels(service.spec.selector);
  return ctx.caches.pods
    .byIndex(byNamespace, namespaceOf(service))
    .filter((pod) => selector.matches(pod.metadata.labels))
    .sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
}

/** Only what an endpoint is made of: a pod's other status changes do not concern its services. */
function matters(now: core.Pod, before: core.Pod): boolean {
  const facts = (pod: core.Pod): unknown => [
    pod.metadata.labels,
    pod.metadata.deletionTimestamp,
    pod.status.podIP,
    pod.status.phase,
    pod.spec.nodeName,
    pod.status.conditions?.find((c) => c.type === 'Ready')?.status,
    pod.metadata.uid,
  ];
  return !equivalent(facts(now), facts(before));
}

function feedFromServicesAndPods(ctx: ControllerContext, queue: KeyedQueue): (() => void)[] {
  const { caches } = ctx;
  const enqueueServicesOf = (pod: core.Pod): void => {
    for (const service of caches.services.byIndex(byNamespace, namespaceOf(pod))) {
      if (!selectsPods(service)) continue;
      const labels = pod.metadata.labels ?? {};
      if (Object.entries(service.spec.selector ?? {}).every(([k, v]) => labels[k] === v)) queue.add(keyOf(service));
    }
  };
  return [
    caches.services.onChange((key) => queue.add(key)),
    caches.pods.onChange((_key, now, before) => {
      if (now && before && !matters(now, before)) return;
      if (now) enqueueServicesOf(now);
      if (before) enqueueServicesOf(before);
    }),
  ];
}
