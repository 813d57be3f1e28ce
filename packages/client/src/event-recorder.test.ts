import { type core, coreEvents } from '@flotilla/api';
import { ManualClock, seededRandom, silentLogger } from '@flotilla/base';
import test from 'ava';
import { Client, eventRecorder } from './index.js';
import { FakeApi } from './testing/fake-api.js';

function setUp() {
  const api = new FakeApi();
  const transport = {
    request: async (r: Parameters<FakeApi['respond']>[0]) => api.respond(r),
    stream: () => Promise.reject(new Error('no streams')),
    close: () => Promise.resolve(),
  };
  const clock = new ManualClock(Date.UTC(2026, 0, 1));
  const client = new Client(transport, { logger: silentLogger });
  const options = { component: 'kubelet', host: 'node-1', clock, random: seededRandom(1), logger: silentLogger };
  const recorder = eventRecorder(client, options);
  const events = (): core.Event[] => [...api.objects.values()] as core.Event[];
  return { api, clock, recorder, events, client };
}

const pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'shop', uid: 'u1', resourceVersion: '5' },
};

test('an event looks as upstream’s do', async (t) => {
  const { recorder, events } = setUp();
  recorder.event(pod, 'Normal', 'Started', 'Started container web');
  await recorder.flush();
  t.like(events()[0], {
    metadata: { namespace: 'shop' },
    involvedObject: { apiVersion: 'v1', kind: 'Pod', name: 'web', namespace: 'shop', uid: 'u1', resourceVersion: '5' },
    reason: 'Started',
    message: 'Started container web',
    source: { component: 'kubelet', host: 'node-1' },
    firstTimestamp: '2026-01-01T00:00:00Z',
    lastTimestamp: '2026-01-01T00:00:00Z',
    count: 1,
    type: 'Normal',
    reportingComponent: 'kubelet',
    reportingInstance: 'node-1',
  });
  t.regex(events()[0]!.metadata.name!, /^web\.[0-9a-f]{16}$/);
});

test('the same again counts up; something else is another event; an expired one begins anew', async (t) => {
  const { recorder, events, clock, api } = setUp();
  for (let i = 0; i < 3; i++) {
    recorder.event(pod, 'Warning', 'BackOff', 'Back-off restarting');
    clock.advance(1000);
  }
  recorder.event(pod, 'Warning', 'BackOff', 'another message');
  await recorder.flush();
  t.deepEqual(
    events().map((e) => [e.message, e.count, e.lastTimestamp]),
    [
      ['Back-off restarting', 3, '2026-01-01T00:00:02Z'],
      ['another message', 1, '2026-01-01T00:00:03Z'],
    ],
  );
  api.remove(events()[0]!.metadata.name!);
  recorder.event(pod, 'Warning', 'BackOff', 'Back-off restarting');
  await recorder.flush();
  t.deepEqual(
    events().map((e) => e.count),
    [1, 1],
  );
});

test('events without a namespace go to default; a flood is dropped; similar ones are lumped together', async (t) => {
  const { recorder, events } = setUp();
  const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n' } };
  for (let i = 0; i < 100; i++) recorder.event(node, 'Normal', 'Same', 'same');
  for (let i = 0; i < 20; i++) recorder.event(pod, 'Normal', 'Many', `message ${i}`);
  await recorder.flush();
  const same = events().find((e) => e.reason === 'Same');
  t.is(same?.metadata.namespace, 'default');
  t.is(same?.count, 25);
  const many = events().filter((e) => e.reason === 'Many');
  t.is(many.length, 10);
  t.is(many[9]?.count, 11);
  t.is(many[9]?.message, '(combined from similar events): message 19');
});

test('a recorder whose API is broken does not throw', async (t) => {
  const { client, clock } = setUp();
  const broken = new Client(
    { ...client.transport, request: () => Promise.reject(new Error('broken')) },
    { logger: silentLogger },
  );
  t.is(broken.resource(coreEvents).info.resource, 'events');
  const recorder = eventRecorder(broken, { component: 'x', clock, random: seededRandom(1), logger: silentLogger });
  recorder.event(pod, 'Normal', 'A', 'b');
  await recorder.flush();
  t.pass();
});
