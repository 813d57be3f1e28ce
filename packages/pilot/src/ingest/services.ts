import { type core, parseTime } from '@flotilla/api';
import { protocolOf } from '../model/protocol.js';
import type { Service, ServicePort } from '../model/snapshot.js';

/** Annotation of a Service that says which namespaces may see it, comma separated. */
const exportTo = 'networking.istio.io/exportTo';

export function serviceOf(object: core.Service, domain: string): Service {
  const { name = '', namespace = '', labels = {}, annotations = {}, creationTimestamp } = object.metadata;
  const { clusterIP = '', type, externalName, selector, ports = [] } = object.spec;
  return {
    name,
    namespace,
    hostname: `${name}.${namespace}.svc.${domain}`,
    clusterIP: clusterIP === 'None' || type === 'ExternalName' ? '' : clusterIP,
    headless: clusterIP === 'None',
    externalName: type === 'ExternalName' ? (externalName ?? '').replace(/\.$/, '') : undefined,
    ports: ports.map(portOf),
    selector,
    labels,
    exportTo: (annotations[exportTo] ?? '')
      .split(',')
      .map((text) => text.trim())
      .filter((text) => text !== ''),
    createdAt: parseTime(creationTimestamp) ?? 0,
  };
}

function portOf(port: core.ServicePort): ServicePort {
  return { name: port.name ?? '', port: port.port, targetPort: targetPortOf(port), protocol: protocolOf(port) };
}

/** A missing target is the port itself; digits as text are a number, as in YAML with quotes. */
function targetPortOf({ port, targetPort }: core.ServicePort): number | string {
  if (targetPort === undefined || targetPort === 0 || targetPort === '') return port;
  return typeof targetPort === 'string' && /^\d+$/.test(targetPort) ? Number(targetPort) : targetPort;
}
