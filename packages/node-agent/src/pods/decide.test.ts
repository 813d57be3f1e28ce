import type { core } from '@flotilla/api';
import test from 'ava';
import fc from 'fast-check';
import { type Action, countCrash, crashDelay, decide, nextStart } from './decide.js';
import { type ContainerRecord, newRecord, type PodRecord } from './observed.js';

const backoff = { base: 10_000, max: 300_000 };
const now = 1_000_000;

const container = (name: string, more: Partial<core.Container> = {}): core.Container => ({
  name,
  resources: {},
  ...more,
});
const sidecar = (name: string): core.Container => container(name, { restartPolicy: 'Always' });
const running = (more: Partial<ContainerRecord> = {}): ContainerRecord => ({
  ...newRecord(),
  state: 'running',
  runs: 1,
  started: true,
  ready: true,
  ...more,
});
const ended = (code: number, more: Partial<ContainerRecord> = {}): ContainerRecord => ({
  ...newRecord(),
  state: 'ended',
  runs: 1,
  crashes: 1,
  ended: { code, startedAt: now - 100, finishedAt: now - 50, reason: code === 0 ? 'Completed' : 'Error' },
  ...more,
});

function pod(containers: Record<string, ContainerRecord>, more: Partial<PodRecord> = {}): PodRecord {
  return {
    uid: 'u',
    namespace: 'default',
    name: 'p',
    startTime: 0,
    hostNetwork: false,
    prepared: true,
    containers,
    initialized: false,
    finished: false,
    parked: false,
    ...more,
  };
}

const plan = (spec: core.PodSpec, record: PodRecord, at = now) => decide(spec, record, at, backoff);
const told = (actions: Action[]): string[] =>
  actions.map((action) => (action.do === 'prepare' ? 'prepare' : `${action.do} ${action.container}`));

test('first the address and volumes, then the containers, all at once', (t) => {
  const spec = { containers: [container('a'), container('b')] };
  t.deepEqual(told(plan(spec, pod({}, { prepared: false })).actions), ['prepare']);
  const next = plan(spec, pod({}));
  t.deepEqual(told(next.actions), ['start a', 'start b']);
  t.true(next.initialized);
  t.deepEqual(told(plan(spec, pod({ a: running(), b: { ...newRecord(), state: 'starting' } })).actions), []);
});

test('init containers one after the other', (t) => {
  const spec = { initContainers: [container('i'), container('j')], containers: [container('a')] };
  t.deepEqual(told(plan(spec, pod({})).actions), ['start i']);
  t.deepEqual(told(plan(spec, pod({ i: running() })).actions), []);
  t.deepEqual(told(plan(spec, pod({ i: ended(0) })).actions), ['start j']);
  const last = plan(spec, pod({ i: ended(0), j: ended(0) }));
  t.deepEqual(told(last.actions), ['start a']);
  t.true(last.initialized);
});

test('a failing init container is tried again, unless the pod says never', (t) => {
  const spec = { initContainers: [container('i')], containers: [container('a')] };
  t.deepEqual(told(plan(spec, pod({ i: ended(1) })).actions), ['start i']);
  const waiting = plan(spec, pod({ i: ended(1, { crashes: 2 }) }));
  t.deepEqual(told(waiting.actions), []);
  t.is(waiting.wakeAt, now - 50 + 10_000);
  const never = plan({ ...spec, restartPolicy: 'Never' }, pod({ i: ended(1) }));
  t.deepEqual(told(never.actions), []);
  t.true(never.finished);
});

test('a sidecar holds the rest until it has started', (t) => {
  const spec = { initContainers: [sidecar('s'), container('i')], containers: [container('a')] };
  t.deepEqual(told(plan(spec, pod({})).actions), ['start s']);
  t.deepEqual(told(plan(spec, pod({ s: running({ started: false }) })).actions), []);
  t.deepEqual(told(plan(spec, pod({ s: running() })).actions), ['start i']);
  t.deepEqual(told(plan(spec, pod({ s: running(), i: ended(0) })).actions), ['start a']);
  // Later on it restarts by itself and holds nobody up.
  const later = pod({ s: ended(0), i: ended(0), a: ended(1) }, { initialized: true });
  t.deepEqual(told(plan(spec, later).actions), ['start s', 'start a']);
});

test('restart policies', (t) => {
  const spec = (restartPolicy: core.RestartPolicy): core.PodSpec => ({ restartPolicy, containers: [container('a')] });
  t.deepEqual(told(plan(spec('Always'), pod({ a: ended(0) })).actions), ['start a']);
  t.deepEqual(told(plan(spec('OnFailure'), pod({ a: ended(1) })).actions), ['start a']);
  t.true(plan(spec('OnFailure'), pod({ a: ended(0) })).finished);
  t.true(plan(spec('Never'), pod({ a: ended(1) })).finished);
  t.false(plan(spec('Never'), pod({ a: running() })).finished);
});

test('sidecars end when nobody is left to serve, the last one first', (t) => {
  const spec: core.PodSpec = {
    restartPolicy: 'Never',
    initContainers: [sidecar('s'), sidecar('r')],
    containers: [container('a')],
  };
  const over = { initialized: true };
  t.deepEqual(told(plan(spec, pod({ s: running(), r: running(), a: ended(0) }, over)).actions), ['stop r']);
  t.deepEqual(told(plan(spec, pod({ s: running(), r: ended(0), a: ended(0) }, over)).actions), ['stop s']);
  t.true(plan(spec, pod({ s: ended(0), r: ended(0), a: ended(0) }, over)).finished);
});

test('after an init container has failed for good its sidecars end and stay so', (t) => {
  const spec: core.PodSpec = {
    restartPolicy: 'Never',
    initContainers: [sidecar('s'), container('i')],
    containers: [container('a')],
  };
  t.deepEqual(told(plan(spec, pod({ s: running(), i: ended(1) })).actions), ['stop s']);
  const last = plan(spec, pod({ s: ended(0), i: ended(1) }));
  t.deepEqual(last.actions, []);
  t.true(last.finished);
});

test('termination: containers at once, then sidecars in reverse; nothing starts', (t) => {
  const spec = { initContainers: [sidecar('s'), sidecar('r')], containers: [container('a'), container('b')] };
  const ending = { initialized: true, termination: { deadline: now + 5000 } };
  const first = plan(spec, pod({ s: running(), r: running(), a: running(), b: ended(1) }, ending));
  t.deepEqual(first.actions, [{ do: 'stop', container: 'a', grace: 5 }]);
  t.deepEqual(told(plan(spec, pod({ s: running(), r: running(), a: ended(0), b: ended(1) }, ending)).actions), [
    'stop r',
  ]);
  t.deepEqual(told(plan(spec, pod({ s: running(), r: ended(0), a: ended(0), b: ended(1) }, ending)).actions), [
    'stop s',
  ]);
  t.true(plan(spec, pod({ s: ended(0), r: ended(0), a: ended(0), b: ended(1) }, ending)).finished);
  t.false(plan(spec, pod({ a: { ...newRecord(), state: 'starting' } }, ending)).finished);
  t.true(plan(spec, pod({}, { ...ending, prepared: false })).finished);
  t.is(
    (plan(spec, pod({ a: running() }, { termination: { deadline: now - 1 } })).actions[0] as { grace: number }).grace,
    0,
  );
});

test('back-off: at once, then doubling, then no longer than the longest', (t) => {
  t.deepEqual(
    [0, 1, 2, 3, 4, 9].map((crashes) => crashDelay(backoff, crashes)),
    [0, 0, 10_000, 20_000, 40_000, 300_000],
  );
  t.is(countCrash(newRecord(), 1000), 1);
  t.is(countCrash({ ...newRecord(), crashes: 4 }, 1000), 5);
  t.is(countCrash({ ...newRecord(), crashes: 4 }, 600_000), 1);
  t.is(nextStart(ended(1, { crashes: 2, retryAt: now + 1e6 }), backoff), now + 1e6);
});

const anyRecord = fc.oneof(
  fc.constant(newRecord()),
  fc.constant<ContainerRecord>({ ...newRecord(), state: 'starting' }),
  fc.boolean().map((started) => running({ started })),
  fc.integer({ min: 0, max: 2 }).map((code) => ended(code)),
);

test('whatever the state: a finished pod has nothing running, and what ends a pod starts nothing', (t) => {
  const spec: core.PodSpec = {
    initContainers: [container('i'), sidecar('s')],
    containers: [container('a'), container('b')],
  };
  const policy = fc.constantFrom<core.RestartPolicy>('Always', 'OnFailure', 'Never');
  fc.assert(
    fc.property(
      fc.tuple(anyRecord, anyRecord, anyRecord, anyRecord),
      policy,
      fc.boolean(),
      ([i, s, a, b], restartPolicy, ending) => {
        const record = pod({ i, s, a, b }, ending ? { termination: { deadline: now } } : {});
        const { actions, finished } = plan({ ...spec, restartPolicy }, record);
        const alive = [i, s, a, b].some(({ state }) => state === 'running' || state === 'starting');
        if (finished && alive) return false;
        if (ending && actions.some((action) => action.do !== 'stop')) return false;
        const names = actions.flatMap((action) => (action.do === 'prepare' ? [] : [action.container]));
        return new Set(names).size === names.length && (!finished || actions.every((action) => action.do !== 'start'));
      },
    ),
  );
  t.pass();
});
