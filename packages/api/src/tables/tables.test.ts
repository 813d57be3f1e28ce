import test from 'ava';
import type * as core from '../gen/core-v1.js';
import type { KubeObject } from '../resources.js';
import * as served from '../resources.js';
import { humanDuration } from '../time.js';
import { tableFor } from './index.js';

const now = Date.parse('2024-05-01T12:00:00Z');
const ago = (seconds: number): string => new Date(now - seconds * 1000).toISOString();
const created = { creationTimestamp: ago(300) };

function row(info: { group: string; kind: string }, object: KubeObject): unknown[] {
  return tableFor(info, [object], now).rows[0]!.cells;
}

function statusOf(name: string, status: Partial<core.ContainerStatus>): core.ContainerStatus {
  return { name, state: {}, lastState: {}, ready: false, restartCount: 0, image: '', imageID: '', ...status };
}

const running: Partial<core.ContainerStatus> = { state: { running: {} }, ready: true, started: true };
const container = (name: string, more: Partial<core.Container> = {}): core.Container => ({
  name,
  resources: {},
  ...more,
});

function pod(spec: Partial<core.PodSpec>, status: core.PodStatus, metadata: object = {}): core.Pod {
  return { metadata: { name: 'p', ...created, ...metadata }, spec: { containers: [container('a')], ...spec }, status };
}

const podCells = (object: core.Pod): unknown[] => row(served.pods, object);

test('a running pod, wide', (t) => {
  const object = pod(
    { nodeName: 'n1', containers: [container('a'), container('b')], readinessGates: [{ conditionType: 'x/y' }] },
    {
      phase: 'Running',
      podIP: '10.0.0.1',
      podIPs: [{ ip: '10.0.0.1' }],
      containerStatuses: [
        statusOf('a', {
          ...running,
          restartCount: 3,
          lastState: { terminated: { exitCode: 1, finishedAt: ago(300) } },
        }),
        statusOf('b', { ...running, ready: false }),
      ],
    },
  );
  t.deepEqual(podCells(object), ['p', '1/2', 'Running', '3 (5m ago)', '5m', '10.0.0.1', 'n1', '<none>', '0/1']);
});

test('a pod that waits to be scheduled', (t) => {
  t.deepEqual(podCells(pod({}, { phase: 'Pending' })), [
    'p',
    '0/1',
    'Pending',
    '0',
    '5m',
    '<none>',
    '<none>',
    '<none>',
    '<none>',
  ]);
});

const reasons: [string, core.Pod, string, string][] = [
  [
    'a crashing container',
    pod(
      {},
      { phase: 'Running', containerStatuses: [statusOf('a', { state: { waiting: { reason: 'CrashLoopBackOff' } } })] },
    ),
    '0/1',
    'CrashLoopBackOff',
  ],
  [
    'a container without a reason',
    pod({}, { phase: 'Failed', containerStatuses: [statusOf('a', { state: { terminated: { exitCode: 3 } } })] }),
    '0/1',
    'ExitCode:3',
  ],
  [
    'a container ended by a signal',
    pod(
      {},
      { phase: 'Failed', containerStatuses: [statusOf('a', { state: { terminated: { exitCode: 137, signal: 9 } } })] },
    ),
    '0/1',
    'Signal:9',
  ],
  [
    'a completed pod',
    pod(
      {},
      {
        phase: 'Succeeded',
        containerStatuses: [statusOf('a', { state: { terminated: { exitCode: 0, reason: 'Completed' } } })],
      },
    ),
    '0/1',
    'Completed',
  ],
  ['an evicted pod', pod({}, { phase: 'Failed', reason: 'Evicted' }), '0/1', 'Evicted'],
  [
    'a gated pod',
    pod({}, { phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }] }),
    '0/1',
    'SchedulingGated',
  ],
  [
    'a pod being deleted',
    pod({}, { phase: 'Running', containerStatuses: [statusOf('a', running)] }, { deletionTimestamp: ago(1) }),
    '1/1',
    'Terminating',
  ],
  ['a lost pod', pod({}, { phase: 'Running', reason: 'NodeLost' }, { deletionTimestamp: ago(1) }), '0/1', 'Unknown'],
  [
    'one of two completed',
    pod(
      { containers: [container('a'), container('b')] },
      {
        phase: 'Running',
        conditions: [{ type: 'Ready', status: 'False' }],
        containerStatuses: [
          statusOf('a', { state: { terminated: { exitCode: 0, reason: 'Completed' } } }),
          statusOf('b', running),
        ],
      },
    ),
    '1/2',
    'NotReady',
  ],
  [
    'the second init container',
    pod(
      { initContainers: [container('i'), container('j')] },
      {
        phase: 'Pending',
        initContainerStatuses: [
          statusOf('i', { state: { terminated: { exitCode: 0, reason: 'Completed' } } }),
          statusOf('j', { state: { running: {} } }),
        ],
        containerStatuses: [statusOf('a', { state: { waiting: { reason: 'PodInitializing' } } })],
      },
    ),
    '0/1',
    'Init:1/2',
  ],
  [
    'a failing init container',
    pod(
      { initContainers: [container('i')] },
      {
        phase: 'Pending',
        initContainerStatuses: [statusOf('i', { state: { terminated: { exitCode: 2, reason: 'Error' } } })],
      },
    ),
    '0/1',
    'Init:Error',
  ],
  [
    'an init container in back-off',
    pod(
      { initContainers: [container('i')] },
      {
        phase: 'Pending',
        initContainerStatuses: [statusOf('i', { state: { waiting: { reason: 'CrashLoopBackOff' } } })],
      },
    ),
    '0/1',
    'Init:CrashLoopBackOff',
  ],
  [
    'containers that wait for initialisation',
    pod(
      { initContainers: [container('i')] },
      {
        phase: 'Pending',
        initContainerStatuses: [statusOf('i', { state: { terminated: { exitCode: 0, reason: 'Completed' } } })],
        containerStatuses: [statusOf('a', { state: { waiting: { reason: 'PodInitializing' } } })],
      },
    ),
    '0/1',
    'PodInitializing',
  ],
  [
    'a started sidecar counts as a container',
    pod(
      { initContainers: [container('i'), container('s', { restartPolicy: 'Always' })] },
      {
        phase: 'Running',
        conditions: [{ type: 'Initialized', status: 'True' }],
        initContainerStatuses: [
          statusOf('i', { state: { terminated: { exitCode: 0, reason: 'Completed' } }, restartCount: 7 }),
          statusOf('s', running),
        ],
        containerStatuses: [statusOf('a', running)],
      },
    ),
    '2/2',
    'Running',
  ],
  [
    'a sidecar that has not started',
    pod(
      { initContainers: [container('s', { restartPolicy: 'Always' })] },
      { phase: 'Pending', initContainerStatuses: [statusOf('s', { state: { running: {} }, started: false })] },
    ),
    '0/2',
    'Init:0/1',
  ],
];
for (const [what, object, ready, reason] of reasons) {
  test(`pod: ${what}`, (t) => t.deepEqual(podCells(object).slice(1, 3), [ready, reason]));
}

test('restarts of finished init containers do not count, those of sidecars do', (t) => {
  const object = pod(
    { initContainers: [container('i'), container('s', { restartPolicy: 'Always' })] },
    {
      phase: 'Running',
      initContainerStatuses: [
        statusOf('i', { state: { terminated: { exitCode: 0 } }, restartCount: 7 }),
        statusOf('s', { ...running, restartCount: 2 }),
      ],
      containerStatuses: [statusOf('a', { ...running, restartCount: 1 })],
    },
  );
  t.is(podCells(object)[3], '3');
});

test('columns, their priorities, and the row’s object', (t) => {
  const table = tableFor(served.pods, [pod({}, { phase: 'Succeeded' })], now);
  t.deepEqual(
    table.columnDefinitions.map((c) => [c.name, c.priority]),
    [
      ['Name', 0],
      ['Ready', 0],
      ['Status', 0],
      ['Restarts', 0],
      ['Age', 0],
      ['IP', 1],
      ['Node', 1],
      ['Nominated Node', 1],
      ['Readiness Gates', 1],
    ],
  );
  t.is(table.columnDefinitions[0]!.format, 'name');
  t.deepEqual(table.rows[0]!.object, {
    kind: 'PartialObjectMetadata',
    apiVersion: 'meta.k8s.io/v1',
    metadata: { name: 'p', ...created },
  });
  t.is(table.rows[0]!.conditions![0]!.type, 'Completed');
  t.is(table.rows[0]!.cells.length, table.columnDefinitions.length);
});

test('every served kind has as many cells as columns', (t) => {
  const bare: KubeObject & Record<string, unknown> = {
    metadata: { name: 'x' },
    spec: { containers: [], template: { metadata: {}, spec: { containers: [] } }, selector: {} },
    status: {},
    involvedObject: {},
    regarding: {},
    provisioner: 'p',
  };
  for (const info of served.resources) {
    const { columnDefinitions, rows } = tableFor(info, [bare], now);
    t.is(rows[0]!.cells.length, columnDefinitions.length, info.resource);
  }
});

test('services', (t) => {
  const service = (spec: core.ServiceSpec, ingress: core.LoadBalancerIngress[] = []): unknown[] =>
    row(served.services, {
      metadata: { name: 's', ...created },
      spec,
      status: { loadBalancer: { ingress } },
    } as core.Service);
  const ports: core.ServicePort[] = [
    { port: 80, targetPort: 80, protocol: 'TCP', nodePort: 30080 },
    { port: 53, targetPort: 53, protocol: 'UDP' },
  ];
  t.deepEqual(
    service({
      type: 'ClusterIP',
      clusterIP: '10.0.0.1',
      clusterIPs: ['10.0.0.1'],
      ports,
      selector: { b: '2', a: '1' },
    }),
    ['s', 'ClusterIP', '10.0.0.1', '<none>', '80:30080/TCP,53/UDP', '5m', 'a=1,b=2'],
  );
  t.is(service({ type: 'LoadBalancer' })[3], '<pending>');
  t.is(
    service({ type: 'LoadBalancer', externalIPs: ['9.9.9.9'] }, [{ ip: '2.2.2.2' }, { hostname: 'a.b' }])[3],
    '2.2.2.2,a.b,9.9.9.9',
  );
  t.deepEqual(service({ type: 'ExternalName', externalName: 'x.y' }).slice(2, 5), ['<none>', 'x.y', '<none>']);
});

test('nodes', (t) => {
  const node = (conditions: core.NodeCondition[], unschedulable = false): unknown[] =>
    row(served.nodes, {
      metadata: {
        name: 'n',
        labels: { 'node-role.kubernetes.io/worker': '', 'node-role.kubernetes.io/edge': '' },
        ...created,
      },
      spec: { unschedulable },
      status: {
        conditions,
        addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
        nodeInfo: { kubeletVersion: 'v1' },
      },
    } as KubeObject);
  t.deepEqual(node([{ type: 'Ready', status: 'True' }], true), [
    'n',
    'Ready,SchedulingDisabled',
    'edge,worker',
    '5m',
    'v1',
    '127.0.0.1',
    '<none>',
    '<unknown>',
    '<unknown>',
    '<unknown>',
  ]);
  t.is(node([{ type: 'Ready', status: 'Unknown' }])[1], 'NotReady');
  t.is(node([])[1], 'Unknown');
});

test('endpoints show three addresses and the number of the others', (t) => {
  const addresses = ['1', '2', '3', '4'].map((n) => ({ ip: `10.0.0.${n}` }));
  const cells = (subsets: core.EndpointSubset[]): unknown =>
    row(served.endpoints, { metadata: {}, subsets } as core.Endpoints)[1];
  t.is(cells([{ addresses, ports: [{ port: 80 }] }]), '10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 1 more...');
  t.is(cells([]), '<none>');
  t.is(cells([{ addresses: [{ ip: '::1' }], ports: [{ port: 80 }] }]), '[::1]:80');
});

test('events', (t) => {
  const event: core.Event = {
    metadata: { name: 'e.1', ...created },
    involvedObject: { kind: 'Pod', name: 'p', fieldPath: 'spec.containers{a}' },
    reason: 'BackOff',
    message: ' text\n',
    type: 'Warning',
    source: { component: 'kubelet', host: 'n1' },
    firstTimestamp: ago(600),
    lastTimestamp: ago(5),
    count: 4,
    reportingComponent: '',
    reportingInstance: '',
  };
  t.deepEqual(row(served.coreEvents, event), [
    '5s',
    'Warning',
    'BackOff',
    'pod/p',
    'spec.containers{a}',
    'kubelet, n1',
    'text',
    '10m',
    4,
    'e.1',
  ]);
});

test('storage', (t) => {
  t.is(
    row(served.storageClasses, {
      metadata: { name: 'local', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
      provisioner: 'x',
    } as KubeObject)[0],
    'local (default)',
  );
  t.deepEqual(
    row(served.persistentVolumeClaims, {
      metadata: { name: 'c', ...created },
      spec: { volumeName: 'v', storageClassName: 'local', volumeMode: 'Filesystem', resources: {} },
      status: { phase: 'Bound', accessModes: ['ReadWriteMany', 'ReadWriteOnce'], capacity: { storage: '1Gi' } },
    } as KubeObject),
    ['c', 'Bound', 'v', '1Gi', 'RWO,RWX', 'local', '<unset>', '5m', 'Filesystem'],
  );
});

test('Istio’s kinds show their lists as JSON', (t) => {
  t.deepEqual(
    row(served.virtualServices, {
      metadata: { name: 'v', ...created },
      spec: { hosts: ['*'], gateways: ['bookinfo-gateway'] },
    } as KubeObject),
    ['v', '["bookinfo-gateway"]', '["*"]', '5m'],
  );
});

const ages: [number, string][] = [
  [0, '0s'],
  [119, '119s'],
  [120, '2m'],
  [125, '2m5s'],
  [599, '9m59s'],
  [600, '10m'],
  [10_799, '179m'],
  [10_800, '3h'],
  [10_860, '3h1m'],
  [28_800, '8h'],
  [172_799, '47h'],
  [172_800, '2d'],
  [176_400, '2d1h'],
  [691_200, '8d'],
  [63_071_999, '729d'],
  [63_072_000, '2y'],
  [63_158_400, '2y1d'],
  [315_360_000, '10y'],
];
for (const [seconds, text] of ages) {
  test(`${seconds} s is ${text}`, (t) => t.is(humanDuration(seconds * 1000), text));
}
