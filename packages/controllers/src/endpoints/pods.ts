import { type core, type discovery, isPodReady, isPodTerminal, isSidecar } from '@flotilla/api';
import { isTerminating, nameOf, namespaceOf, uidOf } from '../common/objects.js';

export const isHeadless = (service: core.Service): boolean => service.spec.clusterIP === 'None';

/** A service whose endpoints are found by its selector: an ExternalName has none, without selector the user sets them. */
export const selectsPods = (service: core.Service): boolean =>
  service.spec.type !== 'ExternalName' && Object.keys(service.spec.selector ?? {}).length > 0;

/** Whether the pod can be an endpoint: it has an address and has not ended. */
export function hasEndpoint(pod: core.Pod, includeTerminating: boolean): boolean {
  if (isPodTerminal(pod)) return false;
  if (!pod.status.podIP && !pod.status.podIPs?.length) return false;
  return includeTerminating || !isTerminating(pod);
}

export const addressOf = (pod: core.Pod): string => pod.status.podIP ?? pod.status.podIPs?.[0]?.ip ?? '';

/** The name by which a headless service of the same name as the pod's subdomain answers for this pod. */
export function hostnameOf(pod: core.Pod, service: core.Service): string | undefined {
  const inSubdomain = pod.spec.subdomain === nameOf(service) && namespaceOf(pod) === namespaceOf(service);
  return pod.spec.hostname && inSubdomain ? pod.spec.hostname : undefined;
}

export const targetRefOf = (pod: core.Pod): core.ObjectReference => ({
  kind: 'Pod',
  namespace: namespaceOf(pod),
  name: nameOf(pod),
  uid: uidOf(pod),
});

/** The pod's port for a service port: a number as it is, a name looked up in its containers and sidecars. */
export function podPort(pod: core.Pod, port: core.ServicePort): number | undefined {
  const target = port.targetPort ?? port.port;
  if (typeof target === 'number') return target === 0 ? port.port : target;
  if (target === '') return port.port;
  const sidecars = (pod.spec.initContainers ?? []).filter(isSidecar);
  const found = [...pod.spec.containers, ...sidecars]
    .flatMap((container) => container.ports ?? [])
    .find((p) => p.name === target && (p.protocol ?? 'TCP') === (port.protocol ?? 'TCP'));
  return found?.containerPort;
}

/** What of the service's ports the pod serves. */
export function podPorts(pod: core.Pod, service: core.Service): discovery.EndpointPort[] {
  return (service.spec.ports ?? []).flatMap((port) => {
    const number = podPort(pod, port);
    if (number === undefined) return [];
    return [
      {
        name: port.name ?? '',
        protocol: port.protocol ?? 'TCP',
        port: number,
        ...(port.appProtocol ? { appProtocol: port.appProtocol } : {}),
      },
    ];
  });
}

/** The conditions of a pod's endpoint. A terminating pod may still serve, but takes no new traffic. */
export function endpointConditions(pod: core.Pod, service: core.Service): discovery.EndpointConditions {
  const serving = isPodReady(pod);
  const terminating = isTerminating(pod);
  const ready = service.spec.publishNotReadyAddresses === true || (serving && !terminating);
  return { ready, serving, terminating };
}
