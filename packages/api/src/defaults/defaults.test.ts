import test from 'ava';
import type * as apps from '../gen/apps-v1.js';
import type * as core from '../gen/core-v1.js';
import { imageTag, parseImage } from '../images.js';
import { setDefaults } from './index.js';

const kind = (group: string, name: string): { group: string; kind: string } => ({ group, kind: name });

function podOf(container: Partial<core.Container>, spec: Partial<core.PodSpec> = {}): core.Pod {
  return {
    metadata: { name: 'p' },
    spec: { containers: [{ name: 'c', resources: {}, ...container }], ...spec },
    status: {},
  };
}

test('a bare pod gets what upstream gives it', (t) => {
  const pod = podOf({ image: 'web' });
  setDefaults(kind('', 'Pod'), pod);
  t.deepEqual(pod.spec, {
    containers: [
      {
        name: 'c',
        image: 'web',
        resources: {},
        imagePullPolicy: 'Always',
        terminationMessagePath: '/dev/termination-log',
        terminationMessagePolicy: 'File',
      },
    ],
    dnsPolicy: 'ClusterFirst',
    restartPolicy: 'Always',
    securityContext: {},
    terminationGracePeriodSeconds: 30,
    schedulerName: 'default-scheduler',
    enableServiceLinks: true,
  });
});

test('the tag decides whether an image is pulled always', (t) => {
  const policy = (image: string): string | undefined => {
    const pod = podOf({ image });
    setDefaults(kind('', 'Pod'), pod);
    return pod.spec.containers[0]!.imagePullPolicy;
  };
  t.is(policy('web:latest'), 'Always');
  t.is(policy('localhost:5000/web'), 'Always');
  t.is(policy('localhost:5000/web:1'), 'IfNotPresent');
  t.is(policy('web@sha256:abc'), 'IfNotPresent');
  t.is(policy('web:latest@sha256:abc'), 'Always');
});

test('image references are split at the right colon', (t) => {
  t.deepEqual(parseImage('r:5000/a/b:1@sha256:x'), { name: 'r:5000/a/b', tag: '1', digest: 'sha256:x' });
  t.deepEqual(parseImage('r:5000/a'), { name: 'r:5000/a' });
  t.is(imageTag('a'), 'latest');
});

test('probes, ports, references, volumes and limits', (t) => {
  const pod = podOf(
    {
      image: 'a:1',
      ports: [{ containerPort: 80 }],
      env: [{ name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }],
      readinessProbe: { httpGet: { port: 80 } },
      livenessProbe: { grpc: { port: 1 }, periodSeconds: 2 },
      resources: { limits: { cpu: '1', memory: '64Mi' }, requests: { cpu: '0.0001' } },
    },
    {
      serviceAccount: 'sa',
      volumes: [
        { name: 'a' },
        { name: 'b', configMap: { name: 'x' } },
        { name: 'c', secret: { secretName: 'x', defaultMode: 0 } },
        { name: 'd', hostPath: { path: '/x' } },
        {
          name: 'e',
          projected: {
            sources: [
              { serviceAccountToken: { path: 't' } },
              { downwardAPI: { items: [{ path: 'l', fieldRef: { fieldPath: 'metadata.labels' } }] } },
            ],
          },
        },
      ],
    },
  );
  setDefaults(kind('', 'Pod'), pod);
  const [container] = pod.spec.containers;
  t.deepEqual(container!.ports, [{ containerPort: 80, protocol: 'TCP' }]);
  t.is(container!.env![0]!.valueFrom!.fieldRef!.apiVersion, 'v1');
  t.deepEqual(container!.readinessProbe, {
    httpGet: { port: 80, path: '/', scheme: 'HTTP' },
    timeoutSeconds: 1,
    periodSeconds: 10,
    successThreshold: 1,
    failureThreshold: 3,
  });
  t.is(container!.livenessProbe!.periodSeconds, 2);
  t.is(container!.livenessProbe!.grpc!.service, '');
  t.deepEqual(container!.resources.requests, { cpu: '1m', memory: '64Mi' });
  t.deepEqual(pod.spec.volumes?.slice(0, 3), [
    { name: 'a', emptyDir: {} },
    { name: 'b', configMap: { name: 'x', defaultMode: 420 } },
    { name: 'c', secret: { secretName: 'x', defaultMode: 0 } },
  ]);
  t.is(pod.spec.volumes![3]!.hostPath!.type as string, '');
  t.is(pod.spec.volumes![4]!.projected!.sources[0]!.serviceAccountToken!.expirationSeconds, 3600);
  t.is(pod.spec.volumes![4]!.projected!.defaultMode, 420);
  t.is(pod.spec.serviceAccountName, 'sa');
  const again = structuredClone(pod);
  setDefaults(kind('', 'Pod'), again);
  t.deepEqual(again, pod);
});

test('a deployment', (t) => {
  const deployment: apps.Deployment = {
    metadata: { name: 'd' },
    spec: {
      selector: { matchLabels: { a: 'b' } },
      strategy: {},
      template: {
        metadata: {},
        spec: { containers: [{ name: 'c', image: 'x:1', resources: { limits: { cpu: '1' } } }] },
      },
    },
    status: {},
  };
  setDefaults(kind('apps', 'Deployment'), deployment);
  t.like(deployment.spec, {
    replicas: 1,
    revisionHistoryLimit: 10,
    progressDeadlineSeconds: 600,
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '25%', maxSurge: '25%' } },
  });
  t.is(deployment.spec.template.spec.enableServiceLinks, undefined);
  t.is(deployment.spec.template.spec.containers[0]!.resources.requests, undefined);
});

test('services by type', (t) => {
  const service = (spec: core.ServiceSpec): core.ServiceSpec => {
    const object: core.Service = { metadata: {}, spec, status: { loadBalancer: {} } };
    setDefaults(kind('', 'Service'), object);
    return object.spec;
  };
  t.deepEqual(service({ ports: [{ port: 80, targetPort: 0 }] }), {
    ports: [{ port: 80, targetPort: 80, protocol: 'TCP' }],
    sessionAffinity: 'None',
    type: 'ClusterIP',
    internalTrafficPolicy: 'Cluster',
  });
  t.like(service({ type: 'LoadBalancer' }), { externalTrafficPolicy: 'Cluster', allocateLoadBalancerNodePorts: true });
  t.is(service({ type: 'ExternalName' }).internalTrafficPolicy, undefined);
  t.deepEqual(service({ sessionAffinity: 'ClientIP' }).sessionAffinityConfig, { clientIP: { timeoutSeconds: 10800 } });
});

test('a secret’s stringData becomes data', (t) => {
  const secret: core.Secret = { metadata: {}, data: { a: 'MQ==' }, stringData: { a: 'é', b: '' } };
  setDefaults(kind('', 'Secret'), secret);
  t.deepEqual(secret, { metadata: {}, type: 'Opaque', data: { a: 'w6k=', b: '' } });
});

test('a namespace carries its name as a label', (t) => {
  const namespace: core.Namespace = { metadata: { name: 'n' }, spec: {}, status: {} };
  setDefaults(kind('', 'Namespace'), namespace);
  t.deepEqual(namespace.metadata.labels, { 'kubernetes.io/metadata.name': 'n' });
  t.is(namespace.status.phase, 'Active');
});
