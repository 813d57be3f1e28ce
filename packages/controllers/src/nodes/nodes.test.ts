import type { core } from '@flotilla/api';
import test from 'ava';
import fc from 'fast-check';
import { decideNode, notReadyConditions } from './decide.js';
import { NodeMonitor } from './monitor.js';
import { surplusEndedPods } from './podgc.js';
import { parsePressure } from './pressure.js';
import { nodeTiming } from './timing.js';
import { evictionOf } from './tolerations.js';

const timing = nodeTiming('fast');

/** Lets time pass in ticks of 100 ms; `late` adds to each. Returns the nodes that were to be pinged. */
class Run {
  now = 0;
  readonly monitor = new NodeMonitor(timing);
  pings: string[] = [];

  constructor(...nodes: string[]) {
    for (const node of nodes) this.monitor.add(node, 0);
    this.monitor.tick(0, () => 0);
    for (const node of nodes) this.monitor.heartbeat(node, 0);
  }

  pass(ms: number, options: { beating?: string[]; late?: number; pressure?: number } = {}): this {
    const end = this.now + ms;
    while (this.now < end) {
      this.now += timing.tick + (options.late ?? 0);
      for (const node of options.beating ?? []) this.monitor.heartbeat(node, this.now);
      this.pings.push(...this.monitor.tick(this.now, () => options.pressure).map((p) => p.node));
    }
    return this;
  }
}

test('a disconnected node is asked after the time to reconnect, and is dead when nobody is there', (t) => {
  const run = new Run('a', 'b');
  run.monitor.disconnected('a');
  run.pass(500, { beating: ['b'] });
  t.deepEqual(run.pings, []);
  run.pass(200, { beating: ['b'] });
  t.deepEqual(run.pings, ['a']);
  t.false(run.monitor.isDead('a'));
  const told: string[] = [];
  const stop = run.monitor.onVerdict((node) => told.push(`${node} ${run.monitor.isDead(node)}`));
  run.monitor.pinged('a', 'gone', run.now);
  run.monitor.heartbeat('a', run.now);
  t.deepEqual(told, ['a true', 'a false']);
  stop();
  t.false(run.monitor.isDead('a'));
});

test('a node that reconnects in time is left alone', (t) => {
  const run = new Run('a', 'b');
  run.monitor.disconnected('a');
  run.pass(400, { beating: ['b'] });
  run.monitor.connected('a', run.now);
  run.pass(800, { beating: ['b'] });
  t.deepEqual(run.pings, []);
});

test('a silent node is asked after five beats', (t) => {
  const run = new Run('a', 'b');
  run.pass(1100, { beating: ['b'] });
  t.deepEqual(run.pings, []);
  run.pass(300, { beating: ['b'] });
  t.deepEqual(run.pings, ['a']);
  run.monitor.pinged('a', 'alive', run.now);
  t.false(run.monitor.isDead('a'));
});

test('silence does not count while the monitor itself runs late', (t) => {
  const run = new Run('a', 'b');
  run.pass(5000, { beating: ['b'], late: 400 });
  t.deepEqual(run.pings, []);
});

test('even a monitor that is always late asks in the end', (t) => {
  const run = new Run('a', 'b');
  run.pass(60_000, { beating: ['b'], late: 400 });
  t.true(run.pings.includes('a'));
});

test('pressure on the CPU stretches the limit', (t) => {
  const run = new Run('a', 'b');
  run.pass(1700, { beating: ['b'], pressure: 1 });
  t.deepEqual(run.pings, []);
  run.pass(300, { beating: ['b'], pressure: 1 });
  t.deepEqual(run.pings, ['a']);
});

test('when all are silent at once the bus is suspected first', (t) => {
  const run = new Run('a', 'b', 'c');
  run.pass(3000);
  t.deepEqual(run.pings, []);
  run.pass(1000);
  t.deepEqual([...new Set(run.pings)].toSorted(), ['a', 'b', 'c']);
  run.monitor.pinged('a', 'unknown', run.now);
  t.false(run.monitor.isDead('a'));
});

test('a node that beats in time never dies, however late the monitor runs', (t) => {
  const lates = fc.array(fc.integer({ min: 0, max: 3000 }), { maxLength: 100 });
  fc.assert(
    fc.property(lates, (late) => {
      const run = new Run('a', 'b');
      for (const ms of late) run.pass(1, { beating: ['a', 'b'], late: ms });
      t.deepEqual(run.pings, []);
    }),
  );
});

const ready = (status: core.ConditionStatus): core.NodeCondition[] => [
  { type: 'MemoryPressure', status: status === 'Unknown' ? 'Unknown' : 'False' },
  { type: 'Ready', status },
];

const nodeOf = (status: core.ConditionStatus, taints: core.Taint[] = []): core.Node => ({
  metadata: { name: 'a' },
  spec: { taints },
  status: {
    conditions: ready(status),
    daemonEndpoints: { kubeletEndpoint: { Port: 0 } },
    nodeInfo: {
      machineID: '',
      systemUUID: '',
      bootID: '',
      kernelVersion: '',
      osImage: '',
      containerRuntimeVersion: '',
      kubeletVersion: '',
      kubeProxyVersion: '',
      operatingSystem: '',
      architecture: '',
    },
  },
});

test('a dead node: conditions unknown, taints unreachable', (t) => {
  const plan = decideNode({ node: nodeOf('True'), dead: true, mayEvict: true }, 0);
  const found = plan.conditions?.find((c) => c.type === 'Ready');
  t.like(found, { status: 'Unknown', reason: 'NodeStatusUnknown', message: 'Kubelet stopped posting node status.' });
  t.is(plan.conditions?.find((c) => c.type === 'DiskPressure')?.reason, 'NodeStatusNeverUpdated');
  t.deepEqual(
    plan.taints?.map((x) => `${x.key}:${x.effect}`),
    ['node.kubernetes.io/unreachable:NoSchedule', 'node.kubernetes.io/unreachable:NoExecute'],
  );
});

test('a node that says it is not ready gets the other taint; a ready one none, users’ taints stay', (t) => {
  const mine: core.Taint = { key: 'mine', effect: 'NoSchedule' };
  const unwell = decideNode({ node: nodeOf('False', [mine]), dead: false, mayEvict: true }, 0);
  t.deepEqual(
    unwell.taints?.map((x) => `${x.key}:${x.effect}`),
    ['mine:NoSchedule', 'node.kubernetes.io/not-ready:NoSchedule', 'node.kubernetes.io/not-ready:NoExecute'],
  );
  const well = decideNode({ node: nodeOf('True', unwell.taints), dead: false, mayEvict: true }, 0);
  t.deepEqual(well.taints, [mine]);
  t.is(well.conditions, undefined);
});

test('nobody is driven off while no node is ready', (t) => {
  const plan = decideNode({ node: nodeOf('Unknown'), dead: true, mayEvict: false }, 0);
  t.deepEqual(
    plan.taints?.map((x) => x.effect),
    ['NoSchedule'],
  );
  t.true(plan.evictionDue);
});

test('tolerations say how long a pod stays', (t) => {
  const taints: core.Taint[] = [{ key: 'node.kubernetes.io/unreachable', effect: 'NoExecute' }];
  const exists: core.Toleration = { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute' };
  t.deepEqual(evictionOf(undefined, taints), { when: 'now' });
  t.deepEqual(evictionOf([exists], taints), { when: 'never' });
  t.deepEqual(evictionOf([{ ...exists, tolerationSeconds: 5 }], taints), { when: 'after', ms: 5000 });
  t.deepEqual(evictionOf([{ ...exists, tolerationSeconds: 0 }], taints), { when: 'now' });
  t.deepEqual(evictionOf([{ operator: 'Exists' }], taints), { when: 'never' });
  t.deepEqual(evictionOf([], [{ key: 'x', effect: 'NoSchedule' }]), { when: 'never' });
});

test('pods of a lost node are marked not ready once', (t) => {
  const pod: core.Pod = {
    metadata: { name: 'p' },
    spec: { containers: [] },
    status: {
      conditions: [
        { type: 'Initialized', status: 'True' },
        { type: 'Ready', status: 'True' },
      ],
    },
  };
  const conditions = notReadyConditions(pod, 0);
  t.deepEqual(
    conditions?.map((c) => c.status),
    ['True', 'False'],
  );
  t.is(notReadyConditions({ ...pod, status: { conditions: conditions! } }, 0), undefined);
});

test('the oldest ended pods beyond the threshold go', (t) => {
  const pods = [3, 1, 2].map(
    (n): core.Pod => ({
      metadata: { name: `p${n}`, creationTimestamp: `2025-01-01T00:00:0${n}Z` },
      spec: { containers: [] },
      status: { phase: 'Succeeded' },
    }),
  );
  t.deepEqual(
    surplusEndedPods(pods, 1).map((p) => p.metadata.name),
    ['p1', 'p2'],
  );
  t.deepEqual(surplusEndedPods(pods, 3), []);
});

test('the kernel’s pressure figure is read', (t) => {
  t.is(parsePressure('some avg10=12.50 avg60=1.00 avg300=0.10 total=1\nfull avg10=0.00'), 0.125);
  t.is(parsePressure(''), undefined);
});
