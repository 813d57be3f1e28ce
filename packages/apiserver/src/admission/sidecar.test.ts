import type { core, meta } from '@flotilla/api';
import test from 'ava';
import { inject, type MeshConfig, wantsSidecar } from './sidecar.js';

const config: MeshConfig = { clusterDomain: 'cluster.local', proxyVersion: '9.9.9', discoveryAddress: 'istiod:15012' };

function pod(metadata: meta.ObjectMeta = {}, spec: Partial<core.PodSpec> = {}): core.Pod {
  const containers = [
    { name: 'app', image: 'app', ports: [{ containerPort: 9080, protocol: 'TCP' as const }], resources: {} },
  ];
  return { metadata: { name: 'web', namespace: 'default', ...metadata }, spec: { containers, ...spec }, status: {} };
}

const label = (value: string): meta.ObjectMeta => ({ labels: { 'sidecar.istio.io/inject': value } });
const annotation = (value: string): meta.ObjectMeta => ({ annotations: { 'sidecar.istio.io/inject': value } });
const enabled: meta.ObjectMeta = { name: 'default', labels: { 'istio-injection': 'enabled' } };
const disabled: meta.ObjectMeta = { name: 'default', labels: { 'istio-injection': 'disabled' } };
const silent: meta.ObjectMeta = { name: 'default' };

const cases: [string, meta.ObjectMeta, meta.ObjectMeta, boolean][] = [
  ['namespace enabled', {}, enabled, true],
  ['namespace enabled, pod label false', label('false'), enabled, false],
  ['namespace enabled, pod annotation false', annotation('false'), enabled, false],
  ['namespace enabled, label true over annotation false', { ...label('true'), ...annotation('false') }, enabled, true],
  ['namespace silent', {}, silent, false],
  ['namespace silent, pod label true', label('true'), silent, true],
  ['namespace silent, pod annotation true', annotation('true'), silent, false],
  ['namespace disabled, pod label true', label('true'), disabled, false],
  ['namespace by revision', {}, { name: 'default', labels: { 'istio.io/rev': 'default' } }, true],
  ['namespace of another revision', {}, { name: 'default', labels: { 'istio.io/rev': 'canary' } }, false],
  ['pod by revision', { labels: { 'istio.io/rev': 'default' } }, silent, true],
  ['system namespace', label('true'), { name: 'kube-system', labels: { 'istio-injection': 'enabled' } }, false],
];

for (const [title, metadata, namespace, expected] of cases) {
  test(`injection policy: ${title} → ${expected}`, (t) => {
    t.is(wantsSidecar(pod(metadata), namespace), expected);
  });
}

test('a pod on the host’s network has no sidecar', (t) => {
  t.false(wantsSidecar(pod({}, { hostNetwork: true }), enabled));
});

test('the sidecar comes before the pod’s own containers, and the input stays as it is', (t) => {
  const before = pod({}, { initContainers: [{ name: 'own', resources: {} }] });
  const copy = structuredClone(before);
  const after = inject(before, enabled, config);
  t.deepEqual(before, copy);
  t.deepEqual(
    after.spec.initContainers?.map((c) => c.name),
    ['istio-init', 'istio-proxy', 'own'],
  );
  const [init, proxy] = after.spec.initContainers ?? [];
  t.is(
    init?.args?.slice(0, 17).join(' '),
    'istio-iptables -p 15001 -z 15006 -u 1337 -m REDIRECT -i * -x  -b * -d 15090,15021,15020',
  );
  t.is(proxy?.restartPolicy, 'Always');
  t.is(proxy?.image, 'docker.io/istio/proxyv2:9.9.9');
  t.deepEqual(proxy?.args?.slice(0, 4), ['proxy', 'sidecar', '--domain', '$(POD_NAMESPACE).svc.cluster.local']);
  t.is(proxy?.startupProbe?.httpGet?.port, 15021);
  const env = new Map(proxy?.env?.map((e) => [e.name, e.value ?? e.valueFrom?.fieldRef?.fieldPath]));
  t.is(env.get('POD_NAME'), 'metadata.name');
  t.is(env.get('ISTIO_META_APP_CONTAINERS'), 'app');
  t.is(env.get('ISTIO_META_POD_PORTS'), '[{"containerPort":9080,"protocol":"TCP"}]');
  t.is(inject(after, enabled, config), after, 'injecting twice is injecting once');
});

test('names of the workload come from its owner', (t) => {
  const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-7d4b9', uid: 'u', controller: true };
  const after = inject(
    pod({
      generateName: 'web-7d4b9-',
      labels: { 'pod-template-hash': '7d4b9', version: 'v2' },
      ownerReferences: [owner],
    }),
    enabled,
    config,
  );
  const env = new Map(after.spec.initContainers?.[1]?.env?.map((e) => [e.name, e.value]));
  t.is(env.get('ISTIO_META_WORKLOAD_NAME'), 'web');
  t.is(env.get('ISTIO_META_OWNER'), 'kubernetes://apis/apps/v1/namespaces/default/deployments/web');
  t.like(after.metadata.labels, {
    'security.istio.io/tlsMode': 'istio',
    'service.istio.io/canonical-name': 'web',
    'service.istio.io/canonical-revision': 'v2',
  });
  t.like(JSON.parse(after.metadata.annotations?.['sidecar.istio.io/status'] ?? ''), { revision: 'default' });
});

test('annotations shape capture and resources', (t) => {
  const annotations = {
    'traffic.sidecar.istio.io/includeOutboundIPRanges': '10.0.0.0/8',
    'traffic.sidecar.istio.io/excludeInboundPorts': '8081',
    'traffic.sidecar.istio.io/excludeOutboundPorts': '5432',
    'sidecar.istio.io/proxyCPU': '200m',
  };
  const [init, proxy] = inject(pod({ annotations }), enabled, config).spec.initContainers ?? [];
  const args = init?.args?.join(' ') ?? '';
  t.true(args.includes('-i 10.0.0.0/8'));
  t.true(args.includes('-d 15090,15021,8081,15020'));
  t.true(args.includes('-o 5432'));
  t.deepEqual(proxy?.resources, { requests: { cpu: '200m' } });
  const none = inject(pod({ annotations: { 'sidecar.istio.io/interceptionMode': 'NONE' } }), enabled, config);
  t.deepEqual(
    none.spec.initContainers?.map((c) => c.name),
    ['istio-proxy'],
  );
});
