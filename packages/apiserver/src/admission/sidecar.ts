import type { core, meta } from '@flotilla/api';

/** Of the `proxyv2` image; the release of Istio whose behaviour we follow. */
export const proxyVersion = '1.30.0';

/** What injection needs to know of the mesh. */
export interface MeshConfig {
  /** E.g. `cluster.local`; also the trust domain and mesh id, as in an Istio default installation. */
  clusterDomain: string;
  /** Tag of the `proxyv2` image. */
  proxyVersion: string;
  /** `host:port` of the certificate authority and of discovery, as written into PROXY_CONFIG. */
  discoveryAddress: string;
}

const ignoredNamespaces = new Set(['kube-system', 'kube-public', 'kube-node-lease', 'local-path-storage']);
const revision = 'default';

/**
 * Whether Istio's webhooks would inject: the namespace's label decides, a pod label (before the older annotation of the
 * same name) overrides it, and a namespace that says `disabled` has the last word.
 * https://istio.io/latest/docs/setup/additional-setup/sidecar-injection/#controlling-the-injection-policy
 */
export function wantsSidecar(pod: core.Pod, namespace: meta.ObjectMeta): boolean {
  if (pod.spec.hostNetwork === true || ignoredNamespaces.has(namespace.name ?? '')) return false;
  const podLabels = pod.metadata.labels ?? {};
  const podSays = podLabels['sidecar.istio.io/inject'];
  if (podSays === 'false') return false;
  const nsSays = namespace.labels?.['istio-injection'];
  if (nsSays === 'enabled' || (nsSays === undefined && namespace.labels?.['istio.io/rev'] === revision)) {
    return podSays === 'true' || pod.metadata.annotations?.['sidecar.istio.io/inject'] !== 'false';
  }
  if (nsSays !== undefined) return false;
  return podSays === 'true' || podLabels['istio.io/rev'] === revision;
}

/** The workload a pod belongs to, as Istio guesses it: a ReplicaSet's Deployment, else the controller, else the pod. */
function workloadOf(pod: core.Pod): { name: string; owner: string } {
  const { metadata } = pod;
  const namespace = metadata.namespace ?? '';
  const controller = metadata.ownerReferences?.find((r) => r.controller === true);
  const link = (apiVersion: string, kind: string, name: string): string =>
    `kubernetes://apis/${apiVersion}/namespaces/${namespace}/${kind.toLowerCase()}s/${name}`;
  if (!controller) {
    const name = metadata.name || (metadata.generateName ?? '').replace(/-$/, '');
    return { name, owner: link('v1', 'Pod', name) };
  }
  const hash = metadata.labels?.['pod-template-hash'];
  if (controller.kind === 'ReplicaSet' && hash && controller.name.endsWith(`-${hash}`)) {
    const name = controller.name.slice(0, -hash.length - 1);
    return { name, owner: link('apps/v1', 'Deployment', name) };
  }
  return { name: controller.name, owner: link(controller.apiVersion, controller.kind, controller.name) };
}

function initContainer(pod: core.Pod, image: string): core.Container {
  const annotations = pod.metadata.annotations ?? {};
  const traffic = (name: string, otherwise: string): string =>
    annotations[`traffic.sidecar.istio.io/${name}`] ?? otherwise;
  const excludeInbound = ['15090', '15021', traffic('excludeInboundPorts', ''), '15020'].filter(Boolean).join(',');
  const args = ['istio-iptables', '-p', '15001', '-z', '15006', '-u', '1337'];
  args.push('-m', interceptionMode(pod));
  args.push('-i', traffic('includeOutboundIPRanges', '*'), '-x', traffic('excludeOutboundIPRanges', ''));
  args.push('-b', traffic('includeInboundPorts', '*'), '-d', excludeInbound);
  const outbound: [string, string][] = [
    ['-q', 'includeOutboundPorts'],
    ['-o', 'excludeOutboundPorts'],
  ];
  for (const [flag, name] of outbound) {
    const ports = traffic(name, '');
    if (ports !== '') args.push(flag, ports);
  }
  args.push('--log_output_level=default:info');
  return {
    name: 'istio-init',
    image,
    args,
    resources: resources(pod),
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { add: ['NET_ADMIN', 'NET_RAW'], drop: ['ALL'] },
      privileged: false,
      readOnlyRootFilesystem: false,
      runAsGroup: 0,
      runAsNonRoot: false,
      runAsUser: 0,
    },
  };
}

const interceptionMode = (pod: core.Pod): string =>
  pod.metadata.annotations?.['sidecar.istio.io/interceptionMode'] ?? 'REDIRECT';

/** The proxy's own share; `sidecar.istio.io/proxyCPU` and its siblings override it as in Istio. */
function resources(pod: core.Pod): core.ResourceRequirements {
  const annotations = pod.metadata.annotations ?? {};
  const pick = (cpu: string, memory: string): Record<string, string> => {
    const out: Record<string, string> = {};
    if (annotations[cpu]) out['cpu'] = annotations[cpu];
    if (annotations[memory]) out['memory'] = annotations[memory];
    return out;
  };
  const requests = pick('sidecar.istio.io/proxyCPU', 'sidecar.istio.io/proxyMemory');
  const limits = pick('sidecar.istio.io/proxyCPULimit', 'sidecar.istio.io/proxyMemoryLimit');
  const chosen = Object.keys(requests).length + Object.keys(limits).length > 0;
  if (!chosen) return { requests: { cpu: '10m', memory: '40Mi' } };
  return {
    ...(Object.keys(requests).length > 0 ? { requests } : {}),
    ...(Object.keys(limits).length > 0 ? { limits } : {}),
  };
}

const fromField = (name: string, fieldPath: string): core.EnvVar => ({
  name,
  valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath } },
});

/** Istio's `proxy.istio.io/config` annotation is YAML; only the JSON subset of it is honoured here. */
function proxyConfig(pod: core.Pod, config: MeshConfig): string {
  const own = pod.metadata.annotations?.['proxy.istio.io/config'];
  const base = { discoveryAddress: config.discoveryAddress };
  if (own === undefined) return JSON.stringify(base);
  try {
    return JSON.stringify({ ...base, ...(JSON.parse(own) as Record<string, unknown>) });
  } catch {
    return JSON.stringify(base);
  }
}

function proxyEnv(pod: core.Pod, config: MeshConfig): core.EnvVar[] {
  const workload = workloadOf(pod);
  const ports = pod.spec.containers.flatMap((c) => c.ports ?? []);
  return [
    { name: 'PILOT_CERT_PROVIDER', value: 'istiod' },
    { name: 'CA_ADDR', value: config.discoveryAddress },
    fromField('POD_NAME', 'metadata.name'),
    fromField('POD_NAMESPACE', 'metadata.namespace'),
    fromField('INSTANCE_IP', 'status.podIP'),
    fromField('SERVICE_ACCOUNT', 'spec.serviceAccountName'),
    fromField('HOST_IP', 'status.hostIP'),
    { name: 'PROXY_CONFIG', value: proxyConfig(pod, config) },
    { name: 'ISTIO_META_POD_PORTS', value: JSON.stringify(ports) },
    { name: 'ISTIO_META_APP_CONTAINERS', value: pod.spec.containers.map((c) => c.name).join(',') },
    { name: 'ISTIO_META_CLUSTER_ID', value: 'Kubernetes' },
    fromField('ISTIO_META_NODE_NAME', 'spec.nodeName'),
    { name: 'ISTIO_META_INTERCEPTION_MODE', value: interceptionMode(pod) },
    { name: 'ISTIO_META_WORKLOAD_NAME', value: workload.name },
    { name: 'ISTIO_META_OWNER', value: workload.owner },
    // Istio mounts the labels as a file; a variable needs no volume, and the proxy tells pilot and metrics the same.
    { name: 'ISTIO_METAJSON_LABELS', value: JSON.stringify(pod.metadata.labels ?? {}) },
    { name: 'ISTIO_META_MESH_ID', value: config.clusterDomain },
    { name: 'TRUST_DOMAIN', value: config.clusterDomain },
  ];
}

function proxyContainer(pod: core.Pod, image: string, config: MeshConfig): core.Container {
  const annotations = pod.metadata.annotations ?? {};
  const ready = { httpGet: { path: '/healthz/ready', port: 15021 }, timeoutSeconds: 3 };
  return {
    name: 'istio-proxy',
    image,
    args: [
      'proxy',
      'sidecar',
      '--domain',
      `$(POD_NAMESPACE).svc.${config.clusterDomain}`,
      `--proxyLogLevel=${annotations['sidecar.istio.io/logLevel'] ?? 'warning'}`,
      `--proxyComponentLogLevel=${annotations['sidecar.istio.io/componentLogLevel'] ?? 'misc:error'}`,
      '--log_output_level=default:info',
    ],
    env: proxyEnv(pod, config),
    ports: [{ name: 'http-envoy-prom', containerPort: 15090, protocol: 'TCP' }],
    // A restartable init container is up once its startup probe passes: the application starts after its proxy is ready.
    startupProbe: { ...ready, periodSeconds: 1, failureThreshold: 600 },
    readinessProbe: { ...ready, periodSeconds: 15, failureThreshold: 4 },
    restartPolicy: 'Always',
    resources: resources(pod),
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      privileged: false,
      readOnlyRootFilesystem: true,
      runAsGroup: 1337,
      runAsNonRoot: true,
      runAsUser: 1337,
    },
  };
}

function sidecarMetadata(pod: core.Pod): meta.ObjectMeta {
  const { metadata } = pod;
  const labels = metadata.labels ?? {};
  const first = pod.spec.containers[0]?.name;
  const status = {
    initContainers: ['istio-init', 'istio-proxy'],
    containers: null,
    volumes: null,
    imagePullSecrets: null,
    revision,
  };
  return {
    ...metadata,
    labels: {
      'security.istio.io/tlsMode': 'istio',
      'service.istio.io/canonical-name': labels['app.kubernetes.io/name'] ?? labels['app'] ?? workloadOf(pod).name,
      'service.istio.io/canonical-revision': labels['app.kubernetes.io/version'] ?? labels['version'] ?? 'latest',
      ...labels,
    },
    annotations: {
      'istio.io/rev': revision,
      ...(first
        ? { 'kubectl.kubernetes.io/default-container': first, 'kubectl.kubernetes.io/default-logs-container': first }
        : {}),
      ...metadata.annotations,
      'sidecar.istio.io/status': JSON.stringify(status),
    },
  };
}

/**
 * The pod with Istio's sidecar: `istio-init`, which turns traffic capture on, then `istio-proxy` as a native sidecar,
 * before the pod's own init containers. The input is not touched; a pod that wants none, or has one, comes back as it is.
 */
export function inject(pod: core.Pod, namespace: meta.ObjectMeta, config: MeshConfig): core.Pod {
  if (!wantsSidecar(pod, namespace)) return pod;
  const present = [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
  if (present.some((c) => c.name === 'istio-proxy')) return pod;
  const image =
    pod.metadata.annotations?.['sidecar.istio.io/proxyImage'] ?? `docker.io/istio/proxyv2:${config.proxyVersion}`;
  const capture = interceptionMode(pod) === 'NONE' ? [] : [initContainer(pod, image)];
  return {
    ...pod,
    metadata: sidecarMetadata(pod),
    spec: {
      ...pod.spec,
      initContainers: [...capture, proxyContainer(pod, image, config), ...(pod.spec.initContainers ?? [])],
    },
  };
}
