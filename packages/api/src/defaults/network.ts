import type * as core from '../gen/core-v1.js';
import type * as discovery from '../gen/discovery-v1.js';
import type * as networking from '../gen/networking-v1.js';

/** Three hours. */
const clientAffinitySeconds = 10_800;

/** IP families and addresses are left to the allocator. */
export function setServiceDefaults(service: core.Service): void {
  const { spec } = service;
  spec.sessionAffinity ||= 'None';
  spec.type ||= 'ClusterIP';
  setAffinityDefaults(spec);
  for (const port of spec.ports ?? []) {
    port.protocol ||= 'TCP';
    if (port.targetPort === undefined || port.targetPort === 0 || port.targetPort === '') port.targetPort = port.port;
  }
  const external = spec.type === 'NodePort' || spec.type === 'LoadBalancer';
  if (external || (spec.type === 'ClusterIP' && (spec.externalIPs?.length ?? 0) > 0)) {
    spec.externalTrafficPolicy ||= 'Cluster';
  }
  if (external || spec.type === 'ClusterIP') spec.internalTrafficPolicy ??= 'Cluster';
  if (spec.type === 'LoadBalancer') {
    spec.allocateLoadBalancerNodePorts ??= true;
    for (const ingress of service.status?.loadBalancer?.ingress ?? []) if (ingress.ip) ingress.ipMode ??= 'VIP';
  }
}

function setAffinityDefaults(spec: core.ServiceSpec): void {
  if (spec.sessionAffinity === 'None') delete spec.sessionAffinityConfig;
  if (spec.sessionAffinity === 'ClientIP') {
    spec.sessionAffinityConfig ??= {};
    spec.sessionAffinityConfig.clientIP ??= {};
    spec.sessionAffinityConfig.clientIP.timeoutSeconds ??= clientAffinitySeconds;
  }
}

export function setEndpointsDefaults(endpoints: core.Endpoints): void {
  for (const subset of endpoints.subsets ?? []) for (const port of subset.ports ?? []) port.protocol ||= 'TCP';
}

export function setEndpointSliceDefaults(slice: discovery.EndpointSlice): void {
  for (const port of slice.ports ?? []) {
    port.name ??= '';
    port.protocol ??= 'TCP';
  }
}

export function setIngressClassDefaults(ingressClass: networking.IngressClass): void {
  if (ingressClass.spec?.parameters) ingressClass.spec.parameters.scope ??= 'Cluster';
}
