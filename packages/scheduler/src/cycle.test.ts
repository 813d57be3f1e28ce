import type { core, storage } from '@flotilla/api';
import { seededRandom } from '@flotilla/base';
import test from 'ava';
import fc from 'fast-check';
import { decidePlace, nodesToFind, prepareFilters, refusalOf } from './cycle.js';
import { describeUnschedulable } from './fit-error.js';
import type { Cluster } from './model/cluster.js';
import { podInfo } from './model/pod-info.js';
import { clusterOf, nodeOf, podOf } from './testing.js';

const random = seededRandom(1);
const choice = { start: 0, random: () => random.next() };

const placed = (pod: core.Pod, cluster: Cluster): string | undefined => {
  const decision = decidePlace(podInfo(pod), cluster, choice);
  return 'node' in decision ? decision.node : undefined;
};

const told = (pod: core.Pod, cluster: Cluster): string => {
  const decision = decidePlace(podInfo(pod), cluster, choice);
  return 'node' in decision ? `on ${decision.node}` : describeUnschedulable(decision.unschedulable);
};

test('refusals are counted and told as upstream tells them', (t) => {
  const taint: core.Taint = { key: 'dedicated', value: 'db', effect: 'NoSchedule' };
  const cluster = clusterOf([nodeOf('a', { taints: [taint] }), nodeOf('b', { cpu: '1' }), nodeOf('c', { cpu: '1' })]);
  t.is(
    told(podOf('p', { cpu: '2' }), cluster),
    '0/3 nodes are available: 1 node(s) had untolerated taint {dedicated: db}, 2 Insufficient cpu. ' +
      'preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.',
  );
  t.is(told(podOf('p'), clusterOf([])), 'no nodes available to schedule pods');
});

test('a full node is helped by preemption, a small one is not', (t) => {
  const cluster = clusterOf(
    [nodeOf('a', { cpu: '2' }), nodeOf('b', { cpu: '1' })],
    [podOf('x', { cpu: '1500m', node: 'a' })],
  );
  t.is(
    told(podOf('p', { cpu: '2' }), cluster),
    '0/2 nodes are available: 2 Insufficient cpu. preemption: 0/2 nodes are available: ' +
      '1 No preemption victims found for incoming pod, 1 Preemption is not helpful for scheduling.',
  );
});

test('the number of pods, several resources at once, and the cordon are told', (t) => {
  t.regex(told(podOf('p'), clusterOf([nodeOf('a', { pods: '1' })], [podOf('x', { node: 'a' })])), /1 Too many pods/);
  const both = told(podOf('p', { cpu: '9', memory: '99Gi' }), clusterOf([nodeOf('a')]));
  t.regex(both, /1 Insufficient cpu, 1 Insufficient memory/);
  t.regex(told(podOf('p'), clusterOf([nodeOf('a', { unschedulable: true })])), /1 node\(s\) were unschedulable/);
});

test('sidecars and init containers count as they run', (t) => {
  const container = (cpu: string, restartPolicy?: 'Always'): core.Container => ({
    name: cpu,
    resources: { requests: { cpu } },
    ...(restartPolicy ? { restartPolicy } : {}),
  });
  const pod = podOf('p', { cpu: '1', spec: { initContainers: [container('500m', 'Always'), container('2')] } });
  t.is(podInfo(pod).requests.get('cpu'), 2500);
  t.is(placed(pod, clusterOf([nodeOf('a', { cpu: '2' }), nodeOf('b', { cpu: '2500m' })])), 'b');
});

test('node selectors and required affinity select, with all operators', (t) => {
  const nodes = [
    nodeOf('a', { labels: { disk: 'ssd', cores: '4' } }),
    nodeOf('b', { labels: { disk: 'hdd', cores: '16' } }),
  ];
  const where = (spec: Partial<core.PodSpec>): string | undefined => placed(podOf('p', { spec }), clusterOf(nodes));
  const required = (key: string, operator: core.NodeSelectorOperator, values?: string[]): Partial<core.PodSpec> => ({
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchExpressions: [{ key, operator, ...(values ? { values } : {}) }] }],
        },
      },
    },
  });
  t.is(where({ nodeSelector: { disk: 'hdd' } }), 'b');
  t.is(where(required('disk', 'In', ['ssd', 'nvme'])), 'a');
  t.is(where(required('disk', 'NotIn', ['ssd'])), 'b');
  t.is(where(required('cores', 'Gt', ['8'])), 'b');
  t.is(where(required('cores', 'Lt', ['8'])), 'a');
  t.is(where(required('gpu', 'Exists')), undefined);
});

test('taints: tolerated ones do not keep away, PreferNoSchedule only discourages', (t) => {
  const hard = nodeOf('a', { taints: [{ key: 'k', value: 'v', effect: 'NoSchedule' }] });
  const soft = nodeOf('b', { taints: [{ key: 's', effect: 'PreferNoSchedule' }] });
  t.is(placed(podOf('p'), clusterOf([hard, soft])), 'b');
  const tolerant = podOf('p', { spec: { tolerations: [{ key: 'k', operator: 'Equal', value: 'v' }] } });
  t.is(placed(tolerant, clusterOf([hard, soft])), 'a');
  t.is(placed(podOf('p'), clusterOf([soft, nodeOf('c')])), 'c');
});

test('host ports are used once per address', (t) => {
  const withPort = (name: string, hostIP: string, node?: string): core.Pod =>
    podOf(name, {
      ...(node ? { node } : {}),
      spec: { containers: [{ name: 'c', resources: {}, ports: [{ containerPort: 80, hostPort: 80, hostIP }] }] },
    });
  const cluster = clusterOf([nodeOf('a')], [withPort('x', '127.0.0.1', 'a')]);
  t.regex(told(withPort('p', '127.0.0.1'), cluster), /didn't have free ports/);
  t.regex(told(withPort('p', ''), cluster), /didn't have free ports/);
  t.is(placed(withPort('p', '127.0.0.2'), cluster), 'a');
});

const term = (app: string, topologyKey = 'kubernetes.io/hostname'): core.PodAffinityTerm => ({
  topologyKey,
  labelSelector: { matchLabels: { app } },
});

test('required anti-affinity keeps apart, both ways', (t) => {
  const apart: Partial<core.PodSpec> = {
    affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term('db')] } },
  };
  const there = podOf('x', { node: 'a', labels: { app: 'db' }, spec: { ...apart, nodeName: 'a' } });
  const cluster = clusterOf([nodeOf('a')], [there]);
  t.regex(told(podOf('p', { labels: { app: 'web' }, spec: apart }), cluster), /didn't match pod anti-affinity rules/);
  t.regex(told(podOf('p', { labels: { app: 'db' } }), cluster), /didn't satisfy existing pods anti-affinity rules/);
  t.is(placed(podOf('p', { labels: { app: 'web' } }), cluster), 'a');
});

test('required affinity brings together; the first of a group may start anywhere', (t) => {
  const together = (app: string): Partial<core.PodSpec> => ({
    affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term(app)] } },
  });
  const nodes = [nodeOf('a'), nodeOf('b')];
  const there = podOf('x', { node: 'b', labels: { app: 'db' } });
  t.is(placed(podOf('p', { spec: together('db') }), clusterOf(nodes, [there])), 'b');
  t.regex(told(podOf('p', { spec: together('db') }), clusterOf(nodes)), /2 node\(s\) didn't match pod affinity rules/);
  t.truthy(placed(podOf('p', { labels: { app: 'db' }, spec: together('db') }), clusterOf(nodes)));
});

test('topology spread: the skew is kept, or at least preferred', (t) => {
  const spec = (whenUnsatisfiable: core.UnsatisfiableConstraintAction): Partial<core.PodSpec> => ({
    topologySpreadConstraints: [
      { maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable, labelSelector: { matchLabels: { app: 'web' } } },
    ],
  });
  const nodes = [nodeOf('a', { labels: { zone: '1' } }), nodeOf('b', { labels: { zone: '2' }, cpu: '1' }), nodeOf('c')];
  const there = ['x', 'y'].map((name) => podOf(name, { node: 'a', labels: { app: 'web' } }));
  const web = { labels: { app: 'web' } };
  t.is(placed(podOf('p', { ...web, spec: spec('DoNotSchedule') }), clusterOf(nodes, there)), 'b');
  const big = told(podOf('p', { ...web, cpu: '2', spec: spec('DoNotSchedule') }), clusterOf(nodes, there));
  t.regex(big, /1 node\(s\) didn't match pod topology spread constraints,/);
  t.regex(big, /1 node\(s\) didn't match pod topology spread constraints \(missing required label\)/);
  t.is(placed(podOf('p', { ...web, spec: spec('ScheduleAnyway') }), clusterOf(nodes, there)), 'b');
});

const claimOf = (annotations: Record<string, string> = {}, volumeName?: string): core.PersistentVolumeClaim => ({
  metadata: { name: 'data', namespace: 'default', uid: 'c', annotations },
  spec: {
    storageClassName: 'standard',
    accessModes: ['ReadWriteOnce'],
    resources: { requests: { storage: '1Gi' } },
    ...(volumeName ? { volumeName } : {}),
  },
  status: {},
});
const usesClaim: Partial<core.PodSpec> = { volumes: [{ name: 'd', persistentVolumeClaim: { claimName: 'data' } }] };
const standard = (volumeBindingMode: storage.VolumeBindingMode): storage.StorageClass => ({
  metadata: { name: 'standard' },
  provisioner: 'flotilla.dev/local-path',
  volumeBindingMode,
});

test('claims: missing, immediate and unbound, bound elsewhere, or to be provisioned', (t) => {
  const nodes = [nodeOf('a'), nodeOf('b')];
  const pod = podOf('p', { spec: usesClaim });
  t.is(
    told(pod, clusterOf(nodes)),
    '0/2 nodes are available: persistentvolumeclaim "data" not found. ' +
      'preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.',
  );
  const immediate = { claim: () => claimOf(), storageClass: () => standard('Immediate') };
  t.regex(told(pod, clusterOf(nodes, [], immediate)), /pod has unbound immediate PersistentVolumeClaims/);
  const later = { claim: () => claimOf(), storageClass: () => standard('WaitForFirstConsumer') };
  t.truthy(placed(pod, clusterOf(nodes, [], later)));
  const selected = { ...later, claim: () => claimOf({ 'volume.kubernetes.io/selected-node': 'b' }) };
  t.is(placed(pod, clusterOf(nodes, [], selected)), 'b');
  const volume: core.PersistentVolume = {
    metadata: { name: 'v' },
    spec: {
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: ['a'] }] }],
        },
      },
    },
    status: {},
  };
  const bound = { claim: () => claimOf({ 'pv.kubernetes.io/bind-completed': 'yes' }, 'v'), volume: () => volume };
  t.is(placed(pod, clusterOf(nodes, [], bound)), 'a');
});

test('six apps of one pod each, and the replicas of one app, spread over three nodes', (t) => {
  for (const controllerOf of [(i: number) => `rs-${i}`, () => 'rs']) {
    const cluster = clusterOf(['a', 'b', 'c'].map((name) => nodeOf(name)));
    const counts = new Map<string, number>();
    for (let i = 0; i < 6; i++) {
      const pod = podInfo(podOf(`p${i}`, { controller: controllerOf(i) }));
      const node = placed(pod.pod, cluster) ?? '';
      cluster.assume(pod, node);
      counts.set(node, (counts.get(node) ?? 0) + 1);
    }
    t.deepEqual([...counts.values()], [2, 2, 2]);
  }
});

test('replicas spread even where another node is emptier', (t) => {
  const cluster = clusterOf(
    [nodeOf('a', { cpu: '64', memory: '256Gi' }), nodeOf('b')],
    [podOf('x', { node: 'a', controller: 'rs' })],
  );
  t.is(placed(podOf('p', { controller: 'rs' }), cluster), 'b');
});

const nodesArbitrary = fc.array(
  fc.record({
    cpu: fc.integer({ min: 1, max: 8 }),
    pods: fc.integer({ min: 1, max: 6 }),
    cordoned: fc.boolean(),
    tainted: fc.boolean(),
  }),
  { minLength: 1, maxLength: 6 },
);
const podsArbitrary = fc.array(
  fc.record({
    cpu: fc.integer({ min: 100, max: 4000 }),
    port: fc.option(fc.integer({ min: 1, max: 3 })),
    apart: fc.boolean(),
  }),
  { maxLength: 25 },
);

test('a place is one that every filter accepts, and a refusal means that there was none', (t) => {
  fc.assert(
    fc.property(nodesArbitrary, podsArbitrary, (nodes, pods) => {
      const cluster = clusterOf(
        nodes.map((n, i) =>
          nodeOf(`n${i}`, {
            cpu: String(n.cpu),
            pods: String(n.pods),
            unschedulable: n.cordoned,
            ...(n.tainted ? { taints: [{ key: 'k', effect: 'NoSchedule' as const }] } : {}),
          }),
        ),
      );
      for (const [i, facts] of pods.entries()) {
        const ports = facts.port === null ? [] : [{ containerPort: 80, hostPort: facts.port }];
        const affinity = { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term('apart')] } };
        const pod = podInfo(
          podOf(`p${i}`, {
            labels: facts.apart ? { app: 'apart' } : {},
            spec: {
              containers: [{ name: 'c', resources: { requests: { cpu: `${facts.cpu}m` } }, ports }],
              ...(facts.apart ? { affinity } : {}),
            },
          }),
        );
        const asked = prepareFilters(pod, cluster);
        if ('message' in asked) throw new Error(asked.message);
        const accepting = cluster.nodes().filter((node) => !refusalOf(node, asked.filters));
        const node = placed(pod.pod, cluster);
        if (node === undefined) t.is(accepting.length, 0);
        else {
          t.true(accepting.some((n) => n.name === node));
          cluster.assume(pod, node);
        }
      }
      for (const node of cluster.nodes()) {
        t.true((node.requested.get('cpu') ?? 0) <= (node.allocatable.get('cpu') ?? 0));
        t.true(node.pods.size <= (node.allocatable.get('pods') ?? 0));
        t.true([...node.pods.values()].filter((p) => p.pod.metadata.labels?.['app'] === 'apart').length <= 1);
      }
    }),
    { numRuns: 60 },
  );
});

test('a cluster’s sums are those of its pods, whatever came and went', (t) => {
  const change = fc.record({
    pod: fc.integer({ min: 0, max: 5 }),
    what: fc.constantFrom('bound', 'assumed', 'forgotten', 'gone', 'ended'),
    node: fc.constantFrom('a', 'b'),
  });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
      const cluster = clusterOf([nodeOf('a'), nodeOf('b')]);
      for (const { pod, what, node } of changes) {
        const object = podOf(`p${pod}`, { cpu: '100m', controller: 'rs', ...(what === 'bound' ? { node } : {}) });
        const key = `default/p${pod}`;
        if (what === 'bound') cluster.setPod(key, object);
        else if (what === 'assumed') cluster.assume(podInfo(object), node);
        else if (what === 'forgotten') cluster.forget(podInfo(object));
        else if (what === 'gone') cluster.setPod(key, undefined);
        else
          cluster.setPod(key, { ...object, spec: { ...object.spec, nodeName: node }, status: { phase: 'Succeeded' } });
      }
      const seen = new Set<string>();
      for (const node of cluster.nodes()) {
        t.is(node.requested.get('cpu') ?? 0, 100 * node.pods.size);
        t.is(node.controllers.get('rs') ?? 0, node.pods.size);
        for (const key of node.pods.keys()) {
          t.false(seen.has(key));
          seen.add(key);
        }
      }
    }),
  );
});

test('of many nodes only a share is looked at', (t) => {
  t.deepEqual([1, 100, 1000, 5000].map(nodesToFind), [1, 100, 420, 500]);
});

test('a thousand pods on a hundred nodes are placed in a second', (t) => {
  const cluster = clusterOf(Array.from({ length: 100 }, (_, i) => nodeOf(`n${i}`, { cpu: '32', memory: '64Gi' })));
  const started = performance.now();
  for (let i = 0; i < 1000; i++) {
    const pod = podInfo(podOf(`p${i}`, { cpu: '100m', memory: '64Mi', controller: `rs-${i % 20}` }));
    const node = placed(pod.pod, cluster);
    if (node) cluster.assume(pod, node);
  }
  const ms = performance.now() - started;
  t.log(`${Math.round(1_000_000 / ms)} pods/s`);
  t.true(ms < 5000);
});
