import { controllerOf, type core } from '@flotilla/api';
import type { Locality, Workload } from '../model/snapshot.js';

/** A pod as the mesh sees it, and the node it is on. Undefined while it has no address, or has ended. */
export function workloadOf(pod: core.Pod): (Workload & { readonly node: string }) | undefined {
  const { name = '', namespace = '', labels = {} } = pod.metadata;
  const { podIP = '', phase } = pod.status;
  if (podIP === '' || phase === 'Succeeded' || phase === 'Failed') return undefined;
  const ports: Record<string, number> = {};
  for (const container of [...(pod.spec.initContainers ?? []), ...pod.spec.containers]) {
    for (const port of container.ports ?? []) if (port.name) ports[port.name] ??= port.containerPort;
  }
  return { name, namespace, ip: podIP, labels, ports, workloadName: workloadName(pod), node: pod.spec.nodeName ?? '' };
}

/** The Deployment, or whatever else made the pod; the pod itself when nothing did (Istio, GetDeployMetaFromPod). */
function workloadName(pod: core.Pod): string {
  const owner = controllerOf(pod);
  if (!owner) return pod.metadata.name ?? '';
  const hash = pod.metadata.labels?.['pod-template-hash'];
  const suffix = `-${hash}`;
  return owner.kind === 'ReplicaSet' && hash && owner.name.endsWith(suffix)
    ? owner.name.slice(0, -suffix.length)
    : owner.name;
}

/** Where a node is, by its well-known labels; undefined when it does not say. */
export function localityOf(node: core.Node): Locality | undefined {
  const labels = node.metadata.labels ?? {};
  const region = labels['topology.kubernetes.io/region'] ?? '';
  const zone = labels['topology.kubernetes.io/zone'] ?? '';
  if (region === '' && zone === '') return undefined;
  return { region, zone, subZone: labels['topology.istio.io/subzone'] ?? '' };
}
