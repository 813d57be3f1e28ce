import type { TaggedProcess } from '@flotilla/host';
import test from 'ava';
import { type FaultRequest, planFault } from './fault.js';

const process = (pid: number, tags: Partial<TaggedProcess>): TaggedProcess => ({
  pid,
  ppid: 1,
  pgid: pid,
  startTicks: 1,
  state: 'S',
  rss: 0,
  role: 'container',
  ...tags,
});

const services = ['nats', 'master', 'pilot', 'agent:node-1', 'agent:node-2'];
const processes = [
  process(10, { role: 'nats' }),
  process(11, { role: 'master' }),
  process(30, { node: 'node-2', pod: 'default/web', container: 'app' }),
  process(31, { node: 'node-2', pod: 'default/web', container: 'istio-proxy', role: 'proxy' }),
  process(20, { role: 'agent', node: 'node-2' }),
  process(40, { node: 'node-1', pod: 'other/web', container: 'app', state: 'T' }),
];

const plan = (request: FaultRequest) => planFault(request, processes, services);
const pids = (request: FaultRequest): number[] => {
  const decision = plan(request);
  return 'plan' in decision ? decision.plan.processes.map((p) => p.pid) : [];
};

test('killing a node takes its agent first, then all it ran, and keeps the agent down', (t) => {
  const decision = plan({ action: 'kill', kind: 'node', name: 'node-2' });
  if (!('plan' in decision)) return t.fail();
  t.deepEqual(
    decision.plan.processes.map((p) => p.pid),
    [20, 30, 31],
  );
  t.deepEqual(decision.plan.hold, ['agent:node-2']);
});

test('pods, containers and proxies are found by their qualified names', (t) => {
  t.deepEqual(pids({ action: 'kill', kind: 'pod', name: 'web' }), [30, 31]);
  t.deepEqual(pids({ action: 'kill', kind: 'pod', name: 'other/web' }), [40]);
  t.deepEqual(pids({ action: 'kill', kind: 'container', name: 'web/app' }), [30]);
  t.deepEqual(pids({ action: 'kill', kind: 'container', name: 'web/app', namespace: 'other' }), [40]);
  t.deepEqual(pids({ action: 'kill', kind: 'proxy', name: 'web' }), [31]);
});

test('healing continues what is stopped and starts what is down', (t) => {
  const paused = plan({ action: 'heal', kind: 'pod', name: 'other/web' });
  t.like(paused, { plan: { signal: 'SIGCONT', release: [] } });
  const gone = plan({ action: 'heal', kind: 'node', name: 'node-1' });
  t.like(gone, { plan: { release: ['agent:node-1'] } });
  t.like(plan({ action: 'heal', kind: 'pilot' }), { plan: { release: ['pilot'] } });
});

test('a fault on what does not exist is refused with what does', (t) => {
  t.deepEqual(plan({ action: 'kill', kind: 'node', name: 'node-9' }), {
    refused: 'no node "node-9" in this cluster; its nodes are node-1, node-2',
  });
  t.deepEqual(plan({ action: 'pause', kind: 'pod', name: 'ghost' }), { refused: 'no running process of pod "ghost"' });
});
