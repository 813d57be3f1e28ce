import {
  type apps,
  type core,
  deployments,
  endpoints,
  endpointSlices,
  type discovery,
  ingressClasses,
  type KubeObject,
  namespaces,
  type networking,
  type ResourceInfo,
  serviceAccounts,
  services,
  type storage,
  storageClasses,
} from '@flotilla/api';
import { addressIn, proxyVersion } from '@flotilla/apiserver';
import type { MasterConfig } from '@flotilla/host';

/**
 * What every cluster has from its first moment. An addon that is there stays as its owner has changed it; `follows`
 * names the parts that mirror the configuration of this start (ports, addresses) and are brought up to date.
 */
export interface Addon<T extends KubeObject = KubeObject> {
  info: ResourceInfo<T>;
  object: T;
  /** The object as it should be, given the one that is there; absent: it is left alone. */
  follows?: (present: T) => T;
}

/** Erases the kind, so that addons of all kinds fit one list. */
function addon<T extends KubeObject>(
  info: ResourceInfo<T>,
  object: Omit<T, 'status'> & Partial<KubeObject>,
  follows?: (present: T) => T,
): Addon {
  return { info, object: object as KubeObject, ...(follows ? { follows: (present) => follows(present as T) } : {}) };
}

const istio = 'istio-system';
const gatewayName = 'istio-ingressgateway';
const gatewayLabels = { app: gatewayName, istio: 'ingressgateway' };

/** Namespaces come first: everything else lives in them. */
export function systemNamespaces(): Addon[] {
  return ['default', 'kube-system', 'kube-public', 'kube-node-lease', istio].map((name) =>
    addon(namespaces, { metadata: { name }, spec: {} }),
  );
}

export function addons(config: MasterConfig): Addon[] {
  return [
    ...kubernetesService(config),
    addon<storage.StorageClass>(storageClasses, {
      metadata: { name: 'standard', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
      provisioner: 'flotilla.dev/local-path',
      reclaimPolicy: 'Delete',
      // Volumes are directories that every node reaches: there is no node to wait for.
      volumeBindingMode: 'Immediate',
    }),
    addon<networking.IngressClass>(ingressClasses, {
      metadata: { name: 'istio' },
      spec: { controller: 'istio.io/ingress-controller' },
    }),
    ...pilotService(config),
    addon<core.ServiceAccount>(serviceAccounts, {
      metadata: { name: gatewayName, namespace: istio, labels: gatewayLabels },
    }),
    gatewayServiceOf(config),
    addon<apps.Deployment>(deployments, gatewayDeployment(config)),
  ];
}

/** The API server as clients inside the cluster see it. */
function kubernetesService(config: MasterConfig): Addon[] {
  const { host, port } = config.listen;
  const metadata = { name: 'kubernetes', namespace: 'default' };
  const ports = [{ name: 'https', port, protocol: 'TCP' as const }];
  const subsets = [{ addresses: [{ ip: host }], ports }];
  const slice = {
    addressType: 'IPv4' as const,
    endpoints: [{ addresses: [host], conditions: { ready: true } }],
    ports,
  };
  return [
    addon<core.Service>(services, {
      metadata: { ...metadata, labels: { component: 'apiserver', provider: 'kubernetes' } },
      spec: {
        type: 'ClusterIP',
        clusterIP: addressIn(config.network.serviceCIDR, 1),
        ports: [{ name: 'https', port: 443, targetPort: port, protocol: 'TCP' }],
      },
    }),
    addon<core.Endpoints>(
      endpoints,
      { metadata: { ...metadata, labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } }, subsets },
      (present) => ({ ...present, subsets }),
    ),
    addon<discovery.EndpointSlice>(
      endpointSlices,
      { metadata: { ...metadata, labels: { 'kubernetes.io/service-name': 'kubernetes' } }, ...slice },
      (present) => ({ ...present, ...slice }),
    ),
  ];
}

/** Pilot is a process beside the cluster's pods: a service without selector, with an endpoint of its own. */
function pilotService(config: MasterConfig): Addon[] {
  const { host, xdsPort } = config.pilot;
  const labels = { app: 'istiod', istio: 'pilot' };
  const slice = {
    addressType: 'IPv4' as const,
    endpoints: [{ addresses: [host], conditions: { ready: true } }],
    ports: [{ name: 'grpc-xds', port: xdsPort, protocol: 'TCP' as const }],
  };
  return [
    addon<core.Service>(services, {
      metadata: { name: 'istiod', namespace: istio, labels },
      spec: { type: 'ClusterIP', ports: [{ name: 'grpc-xds', port: 15010, targetPort: 15010, protocol: 'TCP' }] },
    }),
    addon<discovery.EndpointSlice>(
      endpointSlices,
      {
        metadata: { name: 'istiod', namespace: istio, labels: { ...labels, 'kubernetes.io/service-name': 'istiod' } },
        ...slice,
      },
      (present) => ({ ...present, ...slice }),
    ),
  ];
}

const hostPorts = 'flotilla.dev/host-ports';

function gatewayServiceOf(config: MasterConfig): Addon {
  const { httpPort, httpsPort } = config.gateway;
  const wanted = `80=${httpPort},443=${httpsPort}`;
  return addon<core.Service>(
    services,
    {
      metadata: { name: gatewayName, namespace: istio, labels: gatewayLabels, annotations: { [hostPorts]: wanted } },
      spec: {
        type: 'LoadBalancer',
        selector: gatewayLabels,
        ports: [
          { name: 'status-port', port: 15021, targetPort: 15021, protocol: 'TCP' },
          { name: 'http2', port: 80, targetPort: 8080, protocol: 'TCP' },
          { name: 'https', port: 443, targetPort: 8443, protocol: 'TCP' },
        ],
      },
    },
    (present) => ({
      ...present,
      metadata: { ...present.metadata, annotations: { ...present.metadata.annotations, [hostPorts]: wanted } },
    }),
  );
}

const fromField = (name: string, fieldPath: string): core.EnvVar => ({ name, valueFrom: { fieldRef: { fieldPath } } });

function gatewayEnv(config: MasterConfig): core.EnvVar[] {
  const { clusterDomain } = config.network;
  return [
    { name: 'PILOT_CERT_PROVIDER', value: 'istiod' },
    { name: 'CA_ADDR', value: 'istiod.istio-system.svc:15012' },
    fromField('NODE_NAME', 'spec.nodeName'),
    fromField('POD_NAME', 'metadata.name'),
    fromField('POD_NAMESPACE', 'metadata.namespace'),
    fromField('INSTANCE_IP', 'status.podIP'),
    fromField('HOST_IP', 'status.hostIP'),
    fromField('SERVICE_ACCOUNT', 'spec.serviceAccountName'),
    fromField('ISTIO_META_NODE_NAME', 'spec.nodeName'),
    { name: 'ISTIO_META_WORKLOAD_NAME', value: gatewayName },
    { name: 'ISTIO_META_OWNER', value: `kubernetes://apis/apps/v1/namespaces/${istio}/deployments/${gatewayName}` },
    { name: 'ISTIO_METAJSON_LABELS', value: JSON.stringify(gatewayLabels) },
    { name: 'ISTIO_META_MESH_ID', value: clusterDomain },
    { name: 'TRUST_DOMAIN', value: clusterDomain },
    { name: 'ISTIO_META_UNPRIVILEGED_POD', value: 'true' },
    { name: 'ISTIO_META_CLUSTER_ID', value: 'Kubernetes' },
  ];
}

function gatewayContainer(config: MasterConfig): core.Container {
  return {
    name: 'istio-proxy',
    image: `docker.io/istio/proxyv2:${proxyVersion}`,
    args: [
      'proxy',
      'router',
      '--domain',
      `$(POD_NAMESPACE).svc.${config.network.clusterDomain}`,
      '--proxyLogLevel=warning',
      '--proxyComponentLogLevel=misc:error',
      '--log_output_level=default:info',
    ],
    env: gatewayEnv(config),
    ports: [
      { containerPort: 15021, protocol: 'TCP' },
      { containerPort: 8080, protocol: 'TCP' },
      { containerPort: 8443, protocol: 'TCP' },
      { name: 'http-envoy-prom', containerPort: 15090, protocol: 'TCP' },
    ],
    readinessProbe: {
      httpGet: { path: '/healthz/ready', port: 15021, scheme: 'HTTP' },
      // As soon as possible: the first request of a new cluster waits for it.
      periodSeconds: 1,
      timeoutSeconds: 1,
      failureThreshold: 30,
    },
    resources: { requests: { cpu: '10m', memory: '40Mi' } },
  };
}

/** The only way into the cluster does not wait on a node that is gone; other pods wait for a second in this profile. */
const leavesAtOnce: core.Toleration[] = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'].map(
  (key) => ({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 0 }),
);

function gatewayDeployment(config: MasterConfig): Omit<apps.Deployment, 'status'> {
  return {
    metadata: { name: gatewayName, namespace: istio, labels: gatewayLabels },
    spec: {
      replicas: 1,
      selector: { matchLabels: gatewayLabels },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '100%', maxUnavailable: '25%' } },
      template: {
        metadata: {
          labels: {
            ...gatewayLabels,
            'service.istio.io/canonical-name': gatewayName,
            'service.istio.io/canonical-revision': 'latest',
            'sidecar.istio.io/inject': 'false',
          },
          annotations: { 'sidecar.istio.io/inject': 'false', 'istio.io/rev': 'default' },
        },
        spec: {
          serviceAccountName: gatewayName,
          containers: [gatewayContainer(config)],
          ...(config.profile === 'fast' ? { tolerations: leavesAtOnce } : {}),
        },
      },
    },
  };
}
