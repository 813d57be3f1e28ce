import { NamedError } from '@flotilla/base';
import type { JsonObject, JsonValue, Node } from '@flotilla/xds';
import { type Service, selects, type Snapshot } from './snapshot.js';

/** A proxy that asks for configuration. */
export interface Proxy {
  readonly id: string;
  /** A sidecar of one pod, or a gateway. */
  readonly type: 'sidecar' | 'router';
  readonly ip: string;
  readonly pod: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly workloadName: string;
  /** How the pod's outgoing connections say where they were going. */
  readonly interception: Interception;
  /** Whether it speaks HTTP/2. */
  readonly http2: boolean;
  /** Whether an ORIGINAL_DST cluster of it can take its destination from a header (`use_http_header`). */
  readonly headerDst: boolean;
}

/** `LOOPBACK`: a PROXY protocol header (docs/architecture.md); otherwise the socket's original destination. */
export type Interception = 'REDIRECT' | 'TPROXY' | 'NONE' | 'LOOPBACK';

/** A node that does not say who it is in Istio's terms. */
export class NodeError extends NamedError {
  constructor(message: string) {
    super('XDS_NODE', message);
  }
}

/** Our own proxy says what it can do; every other one is an Envoy. */
const ownProxy = 'flotilla-proxy';
const features = { http2: 'flotilla.dev/http2', headerDst: 'flotilla.dev/original-dst-header' };

const interceptions: readonly string[] = ['REDIRECT', 'TPROXY', 'NONE', 'LOOPBACK'] satisfies Interception[];

/** Reads `<type>~<ip>~<pod>.<namespace>~<domain>` and the metadata that Istio's agents send. Throws NodeError. */
export function parseNode(node: Node | undefined): Proxy {
  const id = node?.id ?? '';
  const [type, ip, name = '', domain, ...rest] = id.split('~');
  if (!domain || rest.length > 0) {
    throw new NodeError(`node id "${id}" is not of the form type~ip~pod.namespace~domain`);
  }
  if (type !== 'sidecar' && type !== 'router') throw new NodeError(`node type "${type}" is not served`);
  const metadata: JsonObject = node?.metadata ?? {};
  const dot = name.lastIndexOf('.');
  const interception = text(metadata.INTERCEPTION_MODE);
  return {
    id,
    type,
    ip: ip ?? '',
    pod: dot < 0 ? name : name.slice(0, dot),
    namespace: text(metadata.NAMESPACE) ?? (dot < 0 ? '' : name.slice(dot + 1)),
    labels: labelsOf(metadata.LABELS),
    workloadName: text(metadata.WORKLOAD_NAME) ?? '',
    interception: isInterception(interception) ? interception : 'REDIRECT',
    http2: can(node, features.http2),
    headerDst: can(node, features.headerDst),
  };
}

function can(node: Node | undefined, feature: string): boolean {
  return node?.user_agent_name !== ownProxy || node.client_features?.includes(feature) === true;
}

function isInterception(value: string | undefined): value is Interception {
  return value !== undefined && interceptions.includes(value);
}

function text(value: JsonValue | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function labelsOf(value: JsonValue | undefined): Record<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

/** The proxy with its pod's present labels, which may have changed since it connected. */
export function refreshProxy(proxy: Proxy, snapshot: Snapshot): Proxy {
  const workload = snapshot.workloads.get(`${proxy.namespace}/${proxy.pod}`);
  if (!workload || workload.labels === proxy.labels) return proxy;
  return { ...proxy, labels: workload.labels, workloadName: workload.workloadName };
}

/** A port on which the proxy's pod serves, and what is spoken there. */
export interface ServiceTarget {
  readonly service: Service;
  readonly servicePort: number;
  /** The port in the pod. */
  readonly port: number;
}

/** The services whose selector takes in the proxy's pod, port by port, in order of their host names. */
export function serviceTargets(proxy: Proxy, snapshot: Snapshot): ServiceTarget[] {
  const ports = snapshot.workloads.get(`${proxy.namespace}/${proxy.pod}`)?.ports ?? {};
  const targets: ServiceTarget[] = [];
  for (const service of snapshot.config.services.values()) {
    if (service.namespace !== proxy.namespace || !service.selector) continue;
    if (Object.keys(service.selector).length === 0 || !selects(service.selector, proxy.labels)) continue;
    for (const { port: servicePort, targetPort, protocol } of service.ports) {
      const port = typeof targetPort === 'number' ? targetPort : ports[targetPort];
      if (port !== undefined && protocol !== 'UDP') targets.push({ service, servicePort, port });
    }
  }
  return targets;
}
