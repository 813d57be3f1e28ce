import { type core, getCondition } from '@flotilla/api';
import test from 'ava';
import { type ContainerRecord, newRecord, type PodRecord } from './observed.js';
import { goDuration, podStatus } from './status.js';

const now = Date.UTC(2026, 0, 1);
const backoff = { base: 10_000, max: 300_000 };

function status(options: {
  spec?: Partial<core.PodSpec>;
  before?: Partial<core.PodStatus>;
  record?: Partial<PodRecord>;
  containers: Record<string, Partial<ContainerRecord>>;
}): core.PodStatus {
  const containers = Object.fromEntries(
    Object.entries(options.containers).map(([name, record]) => [name, { ...newRecord(), ...record }]),
  );
  const record: PodRecord = {
    uid: 'u',
    namespace: 'default',
    name: 'web',
    startTime: now - 60_000,
    podIP: '127.126.1.2',
    hostNetwork: false,
    prepared: true,
    containers,
    initialized: true,
    finished: false,
    parked: false,
    ...options.record,
  };
  const spec: core.PodSpec = { containers: [{ name: 'app', image: 'x', resources: {} }], ...options.spec };
  const pod: core.Pod = {
    metadata: { name: 'web', namespace: 'default', uid: 'u' },
    spec,
    status: options.before ?? {},
  };
  return podStatus({ pod, record, hostIP: '127.126.1.1', backoff, now });
}

const runs = { state: 'running', runs: 1, startedAt: now - 1000, started: true, ready: true } as const;
const ended = (code: number) => ({
  state: 'ended' as const,
  runs: 1,
  crashes: 1,
  ended: { code, startedAt: now - 2000, finishedAt: now - 1000, reason: code ? 'Error' : 'Completed' },
});
const verdict = (of: core.PodStatus, type: string): unknown => {
  const { status: is, reason, message } = getCondition(of.conditions, type)!;
  return [is, reason, message];
};

test('a pod that runs and is ready', (t) => {
  const of = status({ containers: { app: runs } });
  t.like(of, { phase: 'Running', podIP: '127.126.1.2', startTime: '2025-12-31T23:59:00Z' });
  t.deepEqual(of.containerStatuses![0]!.state, { running: { startedAt: '2025-12-31T23:59:59Z' } });
  t.deepEqual(verdict(of, 'Ready'), ['True', undefined, undefined]);
});

test('a pod that waits says for what', (t) => {
  const fresh = status({ containers: {}, record: { prepared: false, initialized: false } });
  t.is(fresh.phase, 'Pending');
  t.deepEqual(fresh.containerStatuses![0]!.state, { waiting: { reason: 'ContainerCreating' } });
  t.deepEqual(verdict(fresh, 'PodReadyToStartContainers'), ['False', undefined, undefined]);
  t.deepEqual(verdict(fresh, 'ContainersReady'), [
    'False',
    'ContainersNotReady',
    'containers with unready status: [app]',
  ]);
  const initContainers = [{ name: 'i', image: 'x', resources: {} }];
  const init = status({ spec: { initContainers }, containers: { i: runs }, record: { initialized: false } });
  t.deepEqual(init.containerStatuses![0]!.state, { waiting: { reason: 'PodInitializing' } });
  t.deepEqual(verdict(init, 'Initialized'), [
    'False',
    'ContainersNotInitialized',
    'containers with incomplete status: [i]',
  ]);
});

test('a container between two runs is backing off, and its end is the last state', (t) => {
  const waiting = status({ containers: { app: { ...ended(1), crashes: 3 } } }).containerStatuses![0]!;
  t.deepEqual(waiting.state, {
    waiting: { reason: 'CrashLoopBackOff', message: 'back-off 20s restarting failed container=app pod=web_default(u)' },
  });
  t.is(waiting.lastState.terminated!.exitCode, 1);
  // The first restart is at once: nothing to wait for.
  const first = status({ containers: { app: ended(1) } }).containerStatuses![0]!;
  t.is(first.state.terminated!.exitCode, 1);
  t.deepEqual(first.lastState, {});
});

test('phases at the end', (t) => {
  const spec: Partial<core.PodSpec> = { restartPolicy: 'Never' };
  t.is(status({ spec, containers: { app: ended(0) }, record: { finished: true } }).phase, 'Succeeded');
  t.is(status({ spec, containers: { app: ended(2) }, record: { finished: true } }).phase, 'Failed');
  t.is(
    status({ containers: { app: ended(0) }, record: { finished: true, termination: { deadline: 0 } } }).phase,
    'Succeeded',
  );
  t.is(
    status({ containers: { app: ended(137) }, record: { finished: true, termination: { deadline: 0 } } }).phase,
    'Failed',
  );
  const failure = { reason: 'DeadlineExceeded', message: 'm' };
  t.like(status({ containers: { app: runs }, record: { termination: { deadline: 0, failure } } }), {
    phase: 'Failed',
    ...failure,
  });
  t.is(status({ before: { phase: 'Succeeded' }, containers: { app: runs } }).phase, 'Succeeded');
  const done = status({ spec, containers: { app: ended(0) }, record: { finished: true } });
  t.deepEqual(verdict(done, 'Ready'), ['False', 'PodCompleted', undefined]);
});

test('transition times stay while nothing changes, and conditions of others too', (t) => {
  const before = {
    conditions: [
      { type: 'Ready', status: 'True' as const, lastTransitionTime: '2020-01-01T00:00:00Z' },
      { type: 'example.com/gate', status: 'False' as const },
    ],
  };
  const of = status({ before, containers: { app: runs } });
  t.is(getCondition(of.conditions, 'Ready')!.lastTransitionTime, '2020-01-01T00:00:00Z');
  t.is(getCondition(of.conditions, 'ContainersReady')!.lastTransitionTime, '2026-01-01T00:00:00Z');
  t.truthy(getCondition(of.conditions, 'example.com/gate'));
  const spec = { readinessGates: [{ conditionType: 'example.com/gate' }] };
  t.deepEqual(verdict(status({ spec, before, containers: { app: runs } }), 'Ready'), [
    'False',
    'ReadinessGatesNotReady',
    'the status of pod readiness gate "example.com/gate" is not "True", but False',
  ]);
});

test('durations as Go prints them', (t) => {
  t.deepEqual([10_000, 80_000, 300_000, 3_661_000].map(goDuration), ['10s', '1m20s', '5m0s', '1h1m1s']);
});
