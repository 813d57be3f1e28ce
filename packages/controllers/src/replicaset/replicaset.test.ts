import type { apps, core } from '@flotilla/api';
import test from 'ava';
import fc from 'fast-check';
import { slowStart } from '../common/batch.js';
import { claim } from '../common/claim.js';
import { decideReplicaSet, decideReplicaSetStatus, type ReplicaSetState } from './decide.js';
import { compareForDeletion, podsToDelete } from './ranking.js';

const now = Date.parse('2025-01-01T01:00:00Z');

interface PodFacts {
  node?: string;
  phase?: core.PodPhase;
  ready?: boolean;
  age?: number;
  restarts?: number;
  cost?: string;
  terminating?: boolean;
}

function podOf(name: string, facts: PodFacts = {}): core.Pod {
  const { node, phase = 'Running', ready = true, age = 600, restarts = 0, cost, terminating } = facts;
  const since = new Date(now - age * 1000).toISOString();
  return {
    metadata: {
      name,
      uid: name,
      labels: { app: 'web' },
      creationTimestamp: since,
      ...(cost ? { annotations: { 'controller.kubernetes.io/pod-deletion-cost': cost } } : {}),
      ...(terminating ? { deletionTimestamp: since } : {}),
    },
    spec: { containers: [], ...(node ? { nodeName: node } : {}) },
    status: {
      phase,
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: since }],
      containerStatuses: [
        { name: 'c', restartCount: restarts, ready, image: '', imageID: '', state: {}, lastState: {} },
      ],
    },
  };
}

const replicaSetOf = (replicas: number, minReadySeconds = 0): apps.ReplicaSet => ({
  metadata: { name: 'web', uid: 'rs', generation: 1 },
  spec: {
    replicas,
    minReadySeconds,
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [] } },
  },
  status: { replicas: 0 },
});

const stateOf = (replicaSet: apps.ReplicaSet, pods: core.Pod[], cacheIsFresh = true): ReplicaSetState => ({
  replicaSet,
  pods,
  related: pods,
  cacheIsFresh,
});

test('missing pods are created, surplus ones removed, ended and terminating ones do not count', (t) => {
  t.deepEqual(decideReplicaSet(stateOf(replicaSetOf(3), [podOf('a')]), now), { create: 2, remove: [] });
  const mixed = [podOf('a'), podOf('b', { phase: 'Failed' }), podOf('c', { terminating: true })];
  t.is(decideReplicaSet(stateOf(replicaSetOf(1), mixed), now).create, 0);
  const plan = decideReplicaSet(stateOf(replicaSetOf(0), [podOf('a'), podOf('b')]), now);
  t.is(plan.remove.length, 2);
});

test('nothing is done while the cache is behind our own actions', (t) => {
  t.deepEqual(decideReplicaSet(stateOf(replicaSetOf(3), [], false), now), { create: 0, remove: [] });
});

test('pods are removed in upstream order', (t) => {
  const first = (a: PodFacts, b: PodFacts): string =>
    podsToDelete([podOf('a', { node: 'n', ...a }), podOf('b', { node: 'n', ...b })], [], 1, now)[0]?.metadata.name ??
    '';
  const unassigned = { phase: 'Pending' as const, ready: false };
  t.is(podsToDelete([podOf('a', { node: 'n' }), podOf('b', unassigned)], [], 1, now)[0]?.metadata.name, 'b');
  t.is(first({}, { phase: 'Pending', ready: false }), 'b');
  t.is(first({}, { ready: false }), 'b');
  t.is(first({ cost: '5' }, { cost: '-5' }), 'b');
  t.is(first({ age: 6000 }, { age: 6 }), 'b');
  t.is(first({ restarts: 0 }, { restarts: 3 }), 'b');
  const doubled = [podOf('a', { node: 'n1' }), podOf('b', { node: 'n2' }), podOf('c', { node: 'n2' })];
  t.not(podsToDelete(doubled, doubled, 1, now)[0]?.metadata.name, 'a');
});

test('the order of deletion is total and consistent', (t) => {
  const facts = fc.record({
    node: fc.constantFrom('n1', 'n2'),
    phase: fc.constantFrom<core.PodPhase>('Pending', 'Running'),
    ready: fc.boolean(),
    age: fc.integer({ min: 1, max: 100_000 }),
    restarts: fc.integer({ min: 0, max: 3 }),
  });
  fc.assert(
    fc.property(
      fc.array(facts, { minLength: 3, maxLength: 3 }),
      fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 3, maxLength: 3 }),
      (all, ranks) => {
        const [a, b, c] = all.map((f, i) => ({ pod: podOf(`p${i}`, f), sameNode: ranks[i] ?? 0 }));
        if (!a || !b || !c) return;
        t.is(Math.sign(compareForDeletion(a, b, now)), -Math.sign(compareForDeletion(b, a, now)));
        if (compareForDeletion(a, b, now) < 0 && compareForDeletion(b, c, now) < 0)
          t.true(compareForDeletion(a, c, now) < 0);
      },
    ),
  );
});

test('the status counts, and says when a pod becomes available by waiting', (t) => {
  const pods = [
    podOf('a', { age: 100 }),
    podOf('b', { age: 4 }),
    podOf('c', { ready: false }),
    podOf('d', { terminating: true }),
  ];
  const { status, checkAgainInMs } = decideReplicaSetStatus(stateOf(replicaSetOf(3, 10), pods), undefined, now);
  t.like(status, {
    replicas: 3,
    readyReplicas: 2,
    availableReplicas: 1,
    terminatingReplicas: 1,
    observedGeneration: 1,
  });
  t.is(checkAgainInMs, 6000);
});

test('a failure to create is a condition until it is over', (t) => {
  const failure = { reason: 'FailedCreate' as const, message: 'no' };
  const set = replicaSetOf(1);
  const { status } = decideReplicaSetStatus(stateOf(set, []), failure, now);
  t.like(status?.conditions?.[0], { type: 'ReplicaFailure', status: 'True', ...failure });
  const after = decideReplicaSetStatus(stateOf({ ...set, status: status! }, [podOf('a')]), undefined, now);
  t.deepEqual(after.status?.conditions, []);
});

test('pods are adopted and released by selector, never taken from another controller', (t) => {
  const owner = replicaSetOf(1);
  const ref = (uid: string) => ({ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'x', uid, controller: true });
  const with_ = (pod: core.Pod, metadata: Partial<core.Pod['metadata']>): core.Pod => ({
    ...pod,
    metadata: { ...pod.metadata, ...metadata },
  });
  const owned = with_(podOf('owned'), { ownerReferences: [ref('rs')] });
  const orphan = podOf('orphan');
  const strayed = with_(podOf('strayed'), { ownerReferences: [ref('rs')], labels: {} });
  const foreign = with_(podOf('foreign'), { ownerReferences: [ref('other')] });
  const dying = podOf('dying', { terminating: true });
  const claims = claim([owned, orphan, strayed, foreign, dying], owner, (labels) => labels['app'] === 'web');
  t.deepEqual(claims, { owned: [owned], adopt: [orphan], release: [strayed] });
});

test('a first failure stops the creation of the rest', async (t) => {
  const calls: number[] = [];
  const ok = await slowStart(10, async (i) => void calls.push(i));
  t.deepEqual([ok.called, ok.errors.length, calls.length], [10, 0, 10]);
  const failed = await slowStart(100, async (i) => {
    if (i === 2) throw new Error('no');
  });
  t.deepEqual([failed.called, failed.errors.length], [3, 1]);
});
