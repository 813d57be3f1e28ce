import test from 'ava';
import type * as apps from '../gen/apps-v1.js';
import type * as core from '../gen/core-v1.js';
import type * as networking from '../gen/networking-v1.js';
import * as served from '../resources.js';
import type { JsonObject } from '../schema/json.js';
import { validateStatusUpdate, validateUpdate } from './index.js';
import { create, made, texts } from './testing.js';

const podJson = (container: JsonObject = {}, spec: JsonObject = {}): JsonObject => ({
  spec: { containers: [{ name: 'c', image: 'i', ...container }], ...spec },
});
const podErrors = (container: JsonObject = {}, spec: JsonObject = {}): string[] =>
  create(served.pods, podJson(container, spec));

test('a good pod has nothing to complain about', (t) => {
  t.deepEqual(
    podErrors(
      {
        ports: [{ name: 'http', containerPort: 80 }],
        env: [
          { name: 'A', value: '1' },
          { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
        ],
        envFrom: [{ configMapRef: { name: 'c' } }],
        volumeMounts: [{ name: 'v', mountPath: '/v' }],
        resources: { requests: { cpu: '100m' }, limits: { cpu: '1', memory: '64Mi', 'example.com/gpu': '1' } },
        readinessProbe: { httpGet: { port: 'http' } },
        lifecycle: { preStop: { sleep: { seconds: 5 } } },
        securityContext: { runAsUser: 1337, capabilities: { drop: ['ALL'] } },
      },
      {
        initContainers: [{ name: 's', image: 'i', restartPolicy: 'Always', startupProbe: { tcpSocket: { port: 1 } } }],
        volumes: [
          { name: 'v' },
          {
            name: 'p',
            projected: {
              sources: [{ downwardAPI: { items: [{ path: 'l', fieldRef: { fieldPath: 'metadata.labels' } }] } }],
            },
          },
        ],
        tolerations: [{ key: 'k', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 3 }],
        affinity: {
          podAntiAffinity: {
            preferredDuringSchedulingIgnoredDuringExecution: [
              {
                weight: 1,
                podAffinityTerm: { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { a: 'b' } } },
              },
            ],
          },
        },
        topologySpreadConstraints: [
          { maxSkew: 1, topologyKey: 'z', whenUnsatisfiable: 'ScheduleAnyway', labelSelector: {} },
        ],
      },
    ),
    [],
  );
});

const podCases: [string, JsonObject, JsonObject, string[]][] = [
  ['no containers', {}, { containers: [] }, ['spec.containers: Required value']],
  ['no image', { image: '' }, {}, ['spec.containers[0].image: Required value']],
  [
    'a bad name',
    { name: 'A_b' },
    {},
    [
      "spec.containers[0].name: Invalid value: \"A_b\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
    ],
  ],
  [
    'a port out of range',
    { ports: [{ containerPort: 70000 }] },
    {},
    ['spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive'],
  ],
  [
    'a mount of nothing',
    { volumeMounts: [{ name: 'v', mountPath: '/v' }] },
    {},
    ['spec.containers[0].volumeMounts[0].name: Not found: "v"'],
  ],
  [
    'two volume types',
    {},
    { volumes: [{ name: 'v', emptyDir: {}, secret: { secretName: 's' } }] },
    ['spec.volumes[0].secret: Forbidden: may not specify more than 1 volume type'],
  ],
  [
    'the same volume twice',
    {},
    { volumes: [{ name: 'v' }, { name: 'v' }] },
    ['spec.volumes[1].name: Duplicate value: "v"'],
  ],
  [
    'a probe of nothing',
    { livenessProbe: {} },
    {},
    ['spec.containers[0].livenessProbe: Required value: must specify a handler type'],
  ],
  [
    'a request above its limit',
    { resources: { requests: { cpu: '2' }, limits: { cpu: '1' } } },
    {},
    ['spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1'],
  ],
  [
    'an unknown restart policy',
    {},
    { restartPolicy: 'Sometimes' },
    ['spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"'],
  ],
  [
    'a probe of an init container',
    {},
    { initContainers: [{ name: 'i', image: 'i', readinessProbe: { exec: { command: ['x'] } } }] },
    [
      'spec.initContainers[0].readinessProbe: Forbidden: may not be set for init containers without restartPolicy=Always',
    ],
  ],
  [
    'an init container named like a container',
    {},
    { initContainers: [{ name: 'c', image: 'i' }] },
    ['spec.initContainers[0].name: Duplicate value: "c"'],
  ],
  [
    'two sources of a variable',
    { env: [{ name: 'A', value: 'x', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }] },
    {},
    ['spec.containers[0].env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty'],
  ],
  [
    'an unknown field of the pod',
    { env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'spec.foo' } } }] },
    {},
    [
      'spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Invalid value: "spec.foo": error converting fieldPath: field label not supported: spec.foo',
    ],
  ],
  [
    'a toleration without key',
    {},
    { tolerations: [{ effect: 'NoSchedule' }] },
    [
      'spec.tolerations[0].operator: Invalid value: "": operator must be Exists when `key` is empty, which means "match all values and all keys"',
    ],
  ],
];
for (const [what, container, spec, expected] of podCases) {
  test(`pod: ${what}`, (t) => t.deepEqual(podErrors(container, spec), expected));
}

test('a pod’s image may change, little else', (t) => {
  const old = made(served.pods, podJson({}, { nodeSelector: { a: 'b' } }));
  const image = made(
    served.pods,
    podJson({ image: 'j' }, { nodeSelector: { a: 'b' }, tolerations: [{ operator: 'Exists' }] }),
  );
  t.deepEqual(texts(validateUpdate(served.pods, image, old)), []);
  const moved = made(served.pods, podJson({ command: ['x'] }, { nodeSelector: { a: 'c' } }));
  const [error, ...more] = texts(validateUpdate(served.pods, moved, old));
  t.is(more.length, 0);
  t.true(
    error!.startsWith(
      'spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n',
    ),
  );
  const renamed = made(served.pods, { ...podJson(), metadata: { name: 'y' } });
  t.deepEqual(texts(validateUpdate(served.pods, renamed, renamed)), []);
  t.is(texts(validateUpdate(served.pods, renamed, old))[0], 'metadata.name: Invalid value: "y": field is immutable');
});

test('an ended container of a pod that does not restart stays ended', (t) => {
  const status = (state: JsonObject): JsonObject => ({
    containerStatuses: [{ name: 'c', state, lastState: {}, ready: false, restartCount: 0, image: '', imageID: '' }],
  });
  const json = podJson({}, { restartPolicy: 'Never' });
  const old = made(served.pods, { ...json, status: status({ terminated: { exitCode: 1 } }) });
  const now = made(served.pods, { ...json, status: status({ running: {} }) });
  t.deepEqual(texts(validateStatusUpdate(served.pods, now, old)), [
    'status.containerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state',
  ]);
});

test('metadata: names, namespaces, labels, finalizers, owners', (t) => {
  const map = (metadata: JsonObject): string[] => create(served.configMaps, { metadata });
  t.is(map({ name: '' })[0], 'metadata.name: Required value: name or generateName is required');
  t.is(map({ namespace: '' })[0], 'metadata.namespace: Required value');
  t.regex(map({ labels: { 'a b': 'c' } })[0]!, /^metadata\.labels: Invalid value: "a b": name part must consist of/);
  t.regex(
    map({ labels: { a: 'b c' } })[0]!,
    /^metadata\.labels: Invalid value: "b c": a valid label must be an empty string/,
  );
  t.is(
    map({ finalizers: ['x'] })[0],
    'metadata.finalizers[0]: Invalid value: "x": name is neither a standard finalizer name nor is it fully qualified',
  );
  t.deepEqual(map({ ownerReferences: [{ apiVersion: '', kind: '', name: 'n', uid: '' }] }), [
    'metadata.ownerReferences.apiVersion: Invalid value: "": version must not be empty',
    'metadata.ownerReferences.kind: Invalid value: "": kind must not be empty',
    'metadata.ownerReferences.uid: Invalid value: "": uid must not be empty',
  ]);
  t.is(
    map({ annotations: { a: 'x'.repeat(300_000) } })[0],
    'metadata.annotations: Too long: may not be more than 262144 bytes',
  );
  t.is(
    create(served.nodes, { metadata: { namespace: 'n' } })[0],
    'metadata.namespace: Forbidden: not allowed on this type',
  );
  t.regex(
    create(served.services, { metadata: { name: '1a' }, spec: { clusterIP: 'None', clusterIPs: ['None'] } })[0]!,
    /^metadata\.name: Invalid value: "1a": a DNS-1035 label must/,
  );
});

const template = (labels: JsonObject, spec: JsonObject = {}): JsonObject => ({
  metadata: { labels },
  spec: { containers: [{ name: 'c', image: 'i' }], ...spec },
});
const deployment = (spec: JsonObject): JsonObject => ({
  spec: { selector: { matchLabels: { a: 'b' } }, template: template({ a: 'b' }), ...spec },
});

test('deployments', (t) => {
  t.deepEqual(create(served.deployments, deployment({})), []);
  t.deepEqual(create(served.deployments, deployment({ selector: null })), ['spec.selector: Required value']);
  t.deepEqual(create(served.deployments, deployment({ selector: {} })), [
    'spec.selector: Invalid value: {}: empty selector is invalid for deployment',
  ]);
  t.deepEqual(create(served.deployments, deployment({ template: template({ a: 'c' }) })), [
    'spec.template.metadata.labels: Invalid value: {"a":"c"}: `selector` does not match template `labels`',
  ]);
  t.deepEqual(create(served.deployments, deployment({ replicas: -1 })), [
    'spec.replicas: Invalid value: -1: must be greater than or equal to 0',
  ]);
  t.deepEqual(create(served.deployments, deployment({ template: template({ a: 'b' }, { restartPolicy: 'Never' }) })), [
    'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
  ]);
  t.deepEqual(
    create(served.deployments, deployment({ strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: '0%' } } })),
    ['spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0'],
  );
  const old = made(served.deployments, deployment({}));
  const other: apps.Deployment = made(
    served.deployments,
    deployment({ selector: { matchLabels: { a: 'b', c: 'd' } }, template: template({ a: 'b', c: 'd' }) }),
  );
  t.deepEqual(texts(validateUpdate(served.deployments, other, old)), [
    'spec.selector: Invalid value: {"matchLabels":{"a":"b","c":"d"}}: field is immutable',
  ]);
});

const allocated = {
  clusterIP: '127.192.0.1',
  clusterIPs: ['127.192.0.1'],
  ipFamilies: ['IPv4'],
  ipFamilyPolicy: 'SingleStack',
};
const service = (spec: JsonObject): string[] => create(served.services, { spec: { ...allocated, ...spec } });

test('services', (t) => {
  t.deepEqual(service({ ports: [{ port: 80 }] }), []);
  t.deepEqual(service({ type: 'LoadBalancer', ports: [{ port: 80, nodePort: 30000 }] }), []);
  t.deepEqual(create(served.services, { spec: { type: 'ExternalName', externalName: 'a.b' } }), []);
  t.deepEqual(service({}), ['spec.ports: Required value']);
  t.deepEqual(service({ ports: [{ port: 80 }, { port: 81 }] }), [
    'spec.ports[0].name: Required value',
    'spec.ports[1].name: Required value',
  ]);
  t.deepEqual(service({ ports: [{ port: 0 }] }), [
    'spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive',
    'spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive',
  ]);
  t.deepEqual(service({ ports: [{ port: 80, nodePort: 30000 }] }), [
    "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
  ]);
  t.deepEqual(service({ type: 'Other', ports: [{ port: 80 }], internalTrafficPolicy: 'Cluster' }), [
    'spec.type: Unsupported value: "Other": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"',
  ]);
  const old: core.Service = made(served.services, { spec: { ...allocated, ports: [{ port: 80 }] } });
  const moved = made(served.services, {
    spec: { ...allocated, clusterIP: '127.192.0.2', clusterIPs: ['127.192.0.2'], ports: [{ port: 80 }] },
  });
  t.deepEqual(texts(validateUpdate(served.services, moved, old)), [
    'spec.clusterIPs[0]: Invalid value: ["127.192.0.2"]: may not change once set',
  ]);
});

test('endpoints may be in 127.0.0.0/8, where the loopback driver has its pods', (t) => {
  const slice = (address: string): string[] =>
    create(served.endpointSlices, {
      addressType: 'IPv4',
      endpoints: [{ addresses: [address] }],
      ports: [{ port: 80 }],
    });
  t.deepEqual(slice('127.65.1.2'), []);
  t.deepEqual(slice('::1'), ['endpoints[0].addresses[0]: Invalid value: "::1": must be a valid IPv4 address']);
  t.deepEqual(
    create(served.endpoints, { subsets: [{ addresses: [{ ip: '127.65.1.2' }], ports: [{ port: 80 }] }] }),
    [],
  );
  t.deepEqual(create(served.endpoints, { subsets: [{}] }), [
    'subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`',
  ]);
});

test('config maps and secrets: keys, seals, types', (t) => {
  t.regex(
    create(served.configMaps, { data: { 'a/b': '' } })[0]!,
    /^data\[a\/b\]: Invalid value: "a\/b": a valid config key must/,
  );
  const sealed = made(served.configMaps, { immutable: true, data: { a: '1' } });
  t.deepEqual(texts(validateUpdate(served.configMaps, made(served.configMaps, { data: { a: '2' } }), sealed)), [
    'immutable: Forbidden: field is immutable when `immutable` is set',
    'data: Forbidden: field is immutable when `immutable` is set',
  ]);
  t.deepEqual(create(served.secrets, { type: 'kubernetes.io/tls' }), [
    'data[tls.crt]: Required value',
    'data[tls.key]: Required value',
  ]);
  t.deepEqual(create(served.secrets, { stringData: { a: 'b' } }), []);
});

test('volumes and classes', (t) => {
  t.deepEqual(create(served.persistentVolumeClaims, { spec: {} }), [
    'spec.accessModes: Required value: at least 1 access mode is required',
    'spec.resources[storage]: Required value',
  ]);
  const claim = { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } };
  t.deepEqual(create(served.persistentVolumeClaims, claim), []);
  const old = made(served.persistentVolumeClaims, claim);
  const bound = made(served.persistentVolumeClaims, { spec: { ...claim.spec, volumeName: 'v' } });
  t.deepEqual(texts(validateUpdate(served.persistentVolumeClaims, bound, old)), []);
  t.is(texts(validateUpdate(served.persistentVolumeClaims, old, bound)).length, 1);
  t.deepEqual(create(served.persistentVolumes, { spec: {} }), [
    'spec.accessModes: Required value',
    'spec.capacity: Required value',
    'spec.capacity: Unsupported value: {}: supported values: "storage"',
    'spec: Required value: must specify a volume type',
  ]);
  t.deepEqual(
    create(served.persistentVolumes, {
      spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/x' } },
    }),
    [],
  );
  t.deepEqual(create(served.storageClasses, { provisioner: '' }), ['provisioner: Required value']);
});

test('nodes, namespaces, leases, events', (t) => {
  t.deepEqual(create(served.nodes, { spec: { taints: [{ key: 'k', effect: 'Sometimes' }] } }), [
    'metadata.taints[0].effect: Unsupported value: "Sometimes": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
  ]);
  t.regex(
    create(served.namespaces, { metadata: { name: 'a.b' } })[0]!,
    /^metadata\.name: Invalid value: "a\.b": a lowercase RFC 1123 label/,
  );
  t.deepEqual(create(served.leases, { spec: { leaseDurationSeconds: 0 } }), [
    'spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0',
  ]);
  t.deepEqual(create(served.coreEvents, { involvedObject: { namespace: 'other' } }), [
    'involvedObject.namespace: Invalid value: "other": does not match event.namespace',
  ]);
});

const ingress = (path: JsonObject): JsonObject => ({
  spec: {
    rules: [
      {
        http: {
          paths: [
            { path: '/', pathType: 'Prefix', backend: { service: { name: 's', port: { number: 80 } } }, ...path },
          ],
        },
      },
    ],
  },
});

test('ingresses', (t) => {
  t.deepEqual(create(served.ingresses, ingress({})), []);
  t.deepEqual(create(served.ingresses, { spec: {} }), [
    'spec: Invalid value: []: either `defaultBackend` or `rules` must be specified',
  ]);
  t.deepEqual(create(served.ingresses, ingress({ path: 'a' })), [
    'spec.rules[0].http.paths[0].path: Invalid value: "a": must be an absolute path',
  ]);
  t.deepEqual(create(served.ingresses, ingress({ backend: { service: { name: 's', port: {} } } })), [
    'spec.rules[0].http.paths[0].backend: Required value: port name or number is required',
  ]);
  const object: networking.Ingress = made(served.ingresses, ingress({}));
  t.deepEqual(texts(validateUpdate(served.ingresses, object, object)), []);
  t.deepEqual(create(served.ingressClasses, { spec: { controller: 'x' } }), [
    'spec.controller: Invalid value: "x": must be a domain-prefixed path (such as "acme.io/foo")',
  ]);
});
