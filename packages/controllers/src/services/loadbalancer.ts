import { type core, services } from '@flotilla/api';
import { done, type Outcome } from '@flotilla/base';
import { refOf } from '../common/calls.js';
import { equivalent } from '../common/equivalent.js';
import { isTerminating, uidOf } from '../common/objects.js';
import type { ControllerContext, RunningController } from '../context.js';
import { reconciler, running } from '../reconciler.js';

/** The status of a service's load balancer, or undefined if it already is as it should be. */
export function decideLoadBalancer(service: core.Service, hostAddress: string): core.LoadBalancerStatus | undefined {
  const wanted = hasLoadBalancer(service) ? { ingress: [ingressOf(service, hostAddress)] } : {};
  return equivalent(service.status.loadBalancer, wanted) ? undefined : wanted;
}

/** A class means that somebody else's controller is asked for. */
const hasLoadBalancer = (service: core.Service): boolean =>
  service.spec.type === 'LoadBalancer' && !service.spec.loadBalancerClass && !isTerminating(service);

function ingressOf(service: core.Service, ip: string): core.LoadBalancerIngress {
  const ports = (service.spec.ports ?? []).map((p) => ({ port: p.port, protocol: p.protocol ?? 'TCP' }));
  return { ip, ipMode: 'VIP', ports };
}

/** Services of type LoadBalancer get the host's address: the node agents listen on it. */
export function loadBalancerController(ctx: ControllerContext): RunningController {
  const { caches } = ctx;
  const client = ctx.client.resource(services);
  const recorder = ctx.recorder('service-controller');
  const queue = reconciler(ctx, 'loadbalancer', reconcile);

  async function reconcile(key: string): Promise<Outcome> {
    const service = caches.services.get(key);
    if (!service || (service.spec.type === 'LoadBalancer' && service.spec.loadBalancerClass)) return done;
    const loadBalancer = decideLoadBalancer(service, ctx.config.hostAddress);
    if (!loadBalancer) return done;
    const added = loadBalancer.ingress !== undefined;
    if (added) recorder.event(service, 'Normal', 'EnsuringLoadBalancer', 'Ensuring load balancer');
    await client.patch(
      refOf(service),
      {
        metadata: { uid: uidOf(service), resourceVersion: service.metadata.resourceVersion },
        status: { loadBalancer: { ingress: loadBalancer.ingress ?? null } },
      },
      { subresource: 'status' },
    );
    if (added) recorder.event(service, 'Normal', 'EnsuredLoadBalancer', 'Ensured load balancer');
    return done;
  }

  const listeners = [caches.services.onChange((key, now) => now && queue.add(key))];
  return running(queue, listeners);
}
