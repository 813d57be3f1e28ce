import test from 'ava';
import { getCondition, isConditionTrue, removeCondition, setCondition } from './conditions.js';
import type * as core from './gen/core-v1.js';
import { controllerOf, controllerRef, isControlledBy, isOwnedBy } from './owners.js';
import {
  isPodActive,
  isPodAvailable,
  isPodReady,
  podLimits,
  podPhase,
  podQosClass,
  podRequests,
  resourceRequests,
} from './pods.js';
import { deployments } from './resources.js';
import { formatMicroTime, formatTime, parseDuration, parseTime } from './time.js';

type Amounts = Record<string, string>;
const container = (name: string, requests: Amounts = {}, more: Partial<core.Container> = {}): core.Container => ({
  name,
  resources: { requests },
  ...more,
});
const sidecar = (name: string, requests: Amounts): core.Container =>
  container(name, requests, { restartPolicy: 'Always' });
const pod = (spec: Partial<core.PodSpec>, status: core.PodStatus = {}): core.Pod => ({
  metadata: { name: 'p' },
  spec: { containers: [container('a')], ...spec },
  status,
});

test('what a pod needs: containers and sidecars, or the greediest moment of its initialisation', (t) => {
  const cpu = (spec: Partial<core.PodSpec>): number => resourceRequests(pod(spec)).cpu;
  const containers = [container('a', { cpu: '100m' }), container('b', { cpu: '200m' })];
  t.is(cpu({ containers }), 300);
  t.is(cpu({ containers, initContainers: [container('i', { cpu: '250m' })] }), 300);
  t.is(cpu({ containers, initContainers: [container('i', { cpu: '1' })] }), 1000);
  t.is(cpu({ containers, initContainers: [sidecar('s', { cpu: '50m' })] }), 350);
  // A plain init container runs beside the sidecars started before it, not beside those after it.
  t.is(cpu({ containers, initContainers: [sidecar('s', { cpu: '50m' }), container('i', { cpu: '1' })] }), 1050);
  t.is(cpu({ containers, initContainers: [container('i', { cpu: '1' }), sidecar('s', { cpu: '50m' })] }), 1000);
  t.is(cpu({ containers, overhead: { cpu: '10m' } }), 310);
  t.is(cpu({ containers, resources: { requests: { cpu: '2' } } }), 2000);
  t.is(
    String(
      podRequests(pod({ containers: [container('a', { memory: '64Mi' }), container('b', { memory: '64Mi' })] }))[
        'memory'
      ],
    ),
    '128Mi',
  );
  t.deepEqual(podLimits(pod({ containers, overhead: { cpu: '1' } })), {});
});

test('quality of service', (t) => {
  const of = (resources: core.ResourceRequirements): string =>
    podQosClass(pod({ containers: [{ name: 'a', resources }] }));
  t.is(of({}), 'BestEffort');
  t.is(of({ requests: { cpu: '1' } }), 'Burstable');
  t.is(of({ limits: { cpu: '1', memory: '1Gi' } }), 'Guaranteed');
  t.is(of({ limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '500m' } }), 'Burstable');
  t.is(of({ requests: { 'example.com/gpu': '1' } }), 'BestEffort');
});

const state = (
  name: string,
  states: core.ContainerState,
  more: Partial<core.ContainerStatus> = {},
): core.ContainerStatus => ({
  name,
  state: states,
  lastState: {},
  ready: false,
  restartCount: 0,
  image: '',
  imageID: '',
  ...more,
});
const run = { running: {} };
const wait = { waiting: {} };
const end = (exitCode: number): core.ContainerState => ({ terminated: { exitCode } });

const phases: [string, Partial<core.PodSpec>, core.PodStatus, core.PodPhase][] = [
  ['nothing known', {}, {}, 'Pending'],
  ['waiting', {}, { containerStatuses: [state('a', wait)] }, 'Pending'],
  ['running', {}, { containerStatuses: [state('a', run)] }, 'Running'],
  ['between restarts', {}, { containerStatuses: [state('a', wait, { lastState: end(1) })] }, 'Running'],
  ['ended well, to be restarted', {}, { containerStatuses: [state('a', end(0))] }, 'Running'],
  ['ended well', { restartPolicy: 'OnFailure' }, { containerStatuses: [state('a', end(0))] }, 'Succeeded'],
  [
    'ended badly, to be restarted',
    { restartPolicy: 'OnFailure' },
    { containerStatuses: [state('a', end(1))] },
    'Running',
  ],
  ['ended badly', { restartPolicy: 'Never' }, { containerStatuses: [state('a', end(1))] }, 'Failed'],
  [
    'initialising',
    { initContainers: [container('i')] },
    { initContainerStatuses: [state('i', run)], containerStatuses: [state('a', wait)] },
    'Pending',
  ],
  [
    'failed to initialise',
    { restartPolicy: 'Never', initContainers: [container('i')] },
    { initContainerStatuses: [state('i', end(1))], containerStatuses: [state('a', wait)] },
    'Failed',
  ],
  [
    'a sidecar alone still runs',
    { restartPolicy: 'Never', initContainers: [sidecar('s', {})] },
    { initContainerStatuses: [state('s', run, { started: true })], containerStatuses: [state('a', end(0))] },
    'Running',
  ],
  [
    'a sidecar that has ended does not matter',
    { restartPolicy: 'Never', initContainers: [sidecar('s', {})] },
    { initContainerStatuses: [state('s', end(137))], containerStatuses: [state('a', end(0))] },
    'Succeeded',
  ],
];
for (const [what, spec, status, phase] of phases) {
  test(`phase: ${what}`, (t) => t.is(podPhase(pod(spec, status)), phase));
}

test('phase: nothing restarts once the agent has decided so, and a restarting sidecar is no beginning', (t) => {
  t.is(podPhase(pod({}, { containerStatuses: [state('a', end(1))] }), { terminal: true }), 'Failed');
  const restarting = pod(
    { initContainers: [sidecar('s', {})] },
    { initContainerStatuses: [state('s', run, { started: false })], containerStatuses: [state('a', run)] },
  );
  t.is(podPhase(restarting), 'Pending');
  t.is(podPhase(restarting, { initialized: true }), 'Running');
});

test('ready, available, active', (t) => {
  const ready = pod(
    {},
    { phase: 'Running', conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: '2024-01-01T00:00:00Z' }] },
  );
  const since = Date.parse('2024-01-01T00:00:00Z');
  t.true(isPodReady(ready));
  t.true(isPodAvailable(ready, 0, since));
  t.false(isPodAvailable(ready, 10, since + 9_999));
  t.true(isPodAvailable(ready, 10, since + 10_000));
  t.true(isPodActive(ready));
  t.false(isPodActive(pod({}, { phase: 'Failed' })));
  t.false(isPodActive({ ...ready, metadata: { deletionTimestamp: '2024-01-01T00:00:00Z' } }));
});

test('a condition’s time moves only with its status', (t) => {
  const none: core.PodCondition[] = [];
  const first = setCondition(none, { type: 'Ready', status: 'False', reason: 'a' }, '1');
  t.deepEqual(first, [{ type: 'Ready', status: 'False', reason: 'a', lastTransitionTime: '1' }]);
  const same = setCondition(first, { type: 'Ready', status: 'False', reason: 'b' }, '2');
  t.deepEqual(same, [{ type: 'Ready', status: 'False', reason: 'b', lastTransitionTime: '1' }]);
  const other = setCondition(same, { type: 'Ready', status: 'True' }, '3');
  t.is(getCondition(other, 'Ready')?.lastTransitionTime, '3');
  t.true(isConditionTrue(other, 'Ready'));
  t.deepEqual(removeCondition(other, 'Ready'), []);
});

test('owners', (t) => {
  const owner = { metadata: { name: 'd', uid: 'u1' } };
  const child = { metadata: { ownerReferences: [controllerRef(owner, deployments)] } };
  t.deepEqual(controllerOf(child), {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    name: 'd',
    uid: 'u1',
    controller: true,
    blockOwnerDeletion: true,
  });
  t.true(isOwnedBy(child, owner) && isControlledBy(child, owner));
  t.false(isOwnedBy(child, { metadata: { uid: 'u2' } }));
});

test('times and durations', (t) => {
  t.is(formatTime(1_700_000_000_999), '2023-11-14T22:13:20Z');
  t.is(formatMicroTime(1_700_000_000_999), '2023-11-14T22:13:20.999000Z');
  t.is(parseTime('2023-11-14T22:13:20Z'), 1_700_000_000_000);
  t.is(parseTime(undefined), undefined);
  t.is(parseDuration('1h2m3.5s'), 3_723_500);
  t.is(parseDuration('-5ms'), -5);
  t.is(parseDuration('0'), 0);
  t.is(parseDuration('5'), undefined);
  t.is(parseDuration('s'), undefined);
});
