import type { core, discovery, KubeObject } from '@flotilla/api';
import { decodeResource, type Resources } from '@flotilla/xds';
import { parseAllDocuments } from 'yaml';
import { serviceNameLabel } from './ingest/endpoints.js';
import { World, type WorldKind, type WorldObjects } from './ingest/world.js';
import type { Proxy } from './model/proxy.js';
import { selects, type Snapshot } from './model/snapshot.js';
import { type ProxyView, Views } from './translate/views.js';

const kinds: Readonly<Record<string, WorldKind>> = {
  Service: 'services',
  Pod: 'pods',
  Node: 'nodes',
  EndpointSlice: 'endpointSlices',
  Ingress: 'ingresses',
  IngressClass: 'ingressClasses',
  Gateway: 'gateways',
  VirtualService: 'virtualServices',
  DestinationRule: 'destinationRules',
};

export interface PodOptions {
  namespace?: string;
  ready?: boolean;
  terminating?: boolean;
  node?: string;
  ports?: Record<string, number>;
  owner?: { kind: string; name: string };
}

/** A mesh made of manifests and pods, as an API server and its controllers would show it. */
export class TestMesh {
  readonly world = new World({ domain: 'cluster.local', rootNamespace: 'istio-system' });
  readonly #views = new Views();
  readonly #services = new Map<string, core.Service>();
  readonly #pods = new Map<string, { pod: core.Pod; options: PodOptions }>();
  #age = 0;

  /** Applies YAML documents; each is a second younger than the one before unless it says otherwise. */
  apply(text: string): this {
    for (const document of parseAllDocuments(text)) {
      const object = document.toJS() as KubeObject & { kind?: string };
      if (!object?.kind) continue;
      object.metadata.namespace ??= 'default';
      object.metadata.creationTimestamp ??= new Date(1_700_000_000_000 + 1000 * this.#age++).toISOString();
      this.put(kinds[object.kind]!, object);
    }
    this.#updateSlices();
    return this;
  }

  put(kind: WorldKind, object: KubeObject): void {
    const { namespace, name } = object.metadata;
    const key = namespace === undefined ? `${name}` : `${namespace}/${name}`;
    if (kind === 'services') this.#services.set(key, object as core.Service);
    this.world.apply(kind, key, object as WorldObjects[typeof kind]);
  }

  remove(kind: WorldKind, key: string): void {
    if (kind === 'services') this.#services.delete(key);
    this.world.apply(kind, key, undefined);
    this.#updateSlices();
  }

  pod(name: string, ip: string, labels: Record<string, string>, options: PodOptions = {}): this {
    const { namespace = 'default', node = 'node-1', ports = {}, owner } = options;
    const containerPorts = Object.entries(ports).map(([portName, containerPort]) => ({
      name: portName,
      containerPort,
    }));
    const pod: core.Pod = {
      metadata: {
        name,
        namespace,
        labels,
        ...(owner ? { ownerReferences: [{ apiVersion: 'apps/v1', uid: 'u', controller: true, ...owner }] } : {}),
      },
      spec: { nodeName: node, containers: [{ name: 'app', image: 'x', ports: containerPorts, resources: {} }] },
      status: { podIP: ip, phase: 'Running' },
    };
    this.#pods.set(`${namespace}/${name}`, { pod, options });
    this.world.apply('pods', `${namespace}/${name}`, pod);
    this.#updateSlices();
    return this;
  }

  deletePod(key: string): void {
    this.#pods.delete(key);
    this.world.apply('pods', key, undefined);
    this.#updateSlices();
  }

  get snapshot(): Snapshot {
    return this.world.snapshot();
  }

  view(proxy: Proxy, before?: ProxyView): ProxyView {
    return this.#views.viewFor(proxy, this.snapshot, before);
  }

  #updateSlices(): void {
    for (const [key, service] of this.#services) {
      if (!service.spec.selector) continue;
      this.world.apply('endpointSlices', `${key}-1`, this.#sliceOf(service));
    }
  }

  #sliceOf({ metadata, spec }: core.Service): discovery.EndpointSlice {
    const { name = '', namespace = '' } = metadata;
    const behind = [...this.#pods.values()].filter(
      ({ pod }) => pod.metadata.namespace === namespace && selects(spec.selector, pod.metadata.labels ?? {}),
    );
    const portOf = (target: number | string): number =>
      typeof target === 'number' ? target : (behind[0]?.options.ports?.[target] ?? 0);
    return {
      metadata: { name: `${name}-1`, namespace, labels: { [serviceNameLabel]: name } },
      addressType: 'IPv4',
      endpoints: behind.map(({ pod, options }) => ({
        addresses: [pod.status.podIP!],
        conditions: {
          ready: (options.ready ?? true) && !options.terminating,
          serving: options.ready ?? true,
          terminating: options.terminating ?? false,
        },
        targetRef: { kind: 'Pod', name: pod.metadata.name!, namespace },
        nodeName: pod.spec.nodeName!,
      })),
      ports: (spec.ports ?? []).map(({ name: portName = '', port, targetPort }) => ({
        name: portName,
        port: portOf(targetPort ?? port),
        protocol: 'TCP',
      })),
    };
  }
}

export function sidecar(pod: string, labels: Record<string, string> = {}, more: Partial<Proxy> = {}): Proxy {
  return {
    id: `sidecar~127.0.0.1~${pod}.default~default.svc.cluster.local`,
    type: 'sidecar',
    ip: '127.0.0.1',
    pod,
    namespace: 'default',
    labels,
    workloadName: '',
    interception: 'LOOPBACK',
    http2: true,
    headerDst: true,
    ...more,
  };
}

export const ingressGateway: Proxy = {
  id: 'router~127.0.0.9~istio-ingressgateway-1.istio-system~istio-system.svc.cluster.local',
  type: 'router',
  ip: '127.0.0.9',
  pod: 'istio-ingressgateway-1',
  namespace: 'istio-system',
  labels: { istio: 'ingressgateway', app: 'istio-ingressgateway' },
  workloadName: 'istio-ingressgateway',
  interception: 'LOOPBACK',
  http2: true,
  headerDst: true,
};

/** One resource of a view, decoded. */
export function resource<K extends keyof Resources>(view: ProxyView, kind: K, name: string): Resources[K] | undefined {
  const encoded = view.find(kind, name);
  return encoded && decodeResource(kind, encoded.body);
}

export function names(view: ProxyView, kind: keyof Resources): string[] {
  return [...view.all(kind).keys()];
}

/** `address:port` of every endpoint that a cluster has. */
export function addresses(view: ProxyView, cluster: string): string[] {
  return (resource(view, 'endpoint', cluster)?.endpoints ?? []).flatMap(({ lb_endpoints = [] }) =>
    lb_endpoints.map(({ endpoint }) => {
      const { address, port_value } = endpoint?.address?.socket_address ?? {};
      return `${address}:${port_value}`;
    }),
  );
}

/** Services and pods of Istio's Bookinfo, in short. */
export function bookinfo(): TestMesh {
  const service = (name: string, i: number): string => `
---
apiVersion: v1
kind: Service
metadata: { name: ${name}, labels: { app: ${name} } }
spec:
  clusterIP: 127.193.0.${10 + i}
  selector: { app: ${name} }
  ports: [{ name: http, port: 9080 }]
`;
  const mesh = new TestMesh().apply(['productpage', 'details', 'reviews', 'ratings'].map(service).join(''));
  const pods: [string, string][] = [
    ['productpage', 'v1'],
    ['details', 'v1'],
    ['ratings', 'v1'],
    ['reviews', 'v1'],
    ['reviews', 'v2'],
    ['reviews', 'v3'],
  ];
  pods.forEach(([app, version], i) => mesh.pod(`${app}-${version}-x`, `127.65.1.${i + 2}`, { app, version }));
  return mesh;
}

export const bookinfoSubsets = ['productpage', 'details', 'reviews', 'ratings']
  .map(
    (host) => `
---
kind: DestinationRule
metadata: { name: ${host} }
spec:
  host: ${host}
  subsets:
  - { name: v1, labels: { version: v1 } }
  - { name: v2, labels: { version: v2 } }
  - { name: v3, labels: { version: v3 } }
`,
  )
  .join('');
