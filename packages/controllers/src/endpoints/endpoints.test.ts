import type { core, discovery } from '@flotilla/api';
import test from 'ava';
import fc from 'fast-check';
import { decideEndpoints } from './endpoints.js';
import { decideSlices, maxEndpointsPerSlice, type SlicesPlan } from './slices.js';

const service = (spec: Partial<core.ServiceSpec> = {}): core.Service => ({
  metadata: { name: 'web', namespace: 'default', uid: 's', labels: { team: 'a' } },
  spec: {
    selector: { app: 'web' },
    ports: [{ name: 'http', port: 80, targetPort: 'http' }],
    clusterIP: '127.193.0.9',
    ...spec,
  },
  status: { loadBalancer: {} },
});

function podOf(index: number, facts: { ready?: boolean; terminating?: boolean; port?: number } = {}): core.Pod {
  const { ready = true, terminating = false, port = 8080 } = facts;
  return {
    metadata: {
      name: `web-${index}`,
      namespace: 'default',
      uid: `u${index}`,
      ...(terminating ? { deletionTimestamp: '2025-01-01T00:00:00Z' } : {}),
    },
    spec: {
      nodeName: 'node-1',
      containers: [{ name: 'c', resources: {}, ports: [{ name: 'http', containerPort: port }] }],
    },
    status: {
      phase: 'Running',
      podIP: `127.65.${index >> 8}.${index & 255}`,
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
    },
  };
}

const zoneOf = (): string => 'zone-a';

/** The slices after the plan, as the API server would have them. */
function applied(slices: readonly discovery.EndpointSlice[], plan: SlicesPlan): discovery.EndpointSlice[] {
  let next = 0;
  const name = (slice: discovery.EndpointSlice): string => slice.metadata.name ?? '';
  const used = new Set(slices.map(name));
  const fresh = (): string => {
    while (used.has(`web-s${next}`)) next++;
    used.add(`web-s${next}`);
    return `web-s${next}`;
  };
  const removed = new Set(plan.remove.map(name));
  return [
    ...slices.filter((s) => !removed.has(name(s))).map((s) => plan.update.find((u) => name(u) === name(s)) ?? s),
    ...plan.create.map((s) => ({ ...s, metadata: { ...s.metadata, name: fresh() } })),
  ];
}

test('a ready pod becomes an endpoint with its node, zone, reference and named port', (t) => {
  const plan = decideSlices({ service: service(), pods: [podOf(1)], slices: [], zoneOf });
  t.is(plan.create.length, 1);
  const [slice] = plan.create;
  t.deepEqual(slice?.metadata.labels, {
    team: 'a',
    'kubernetes.io/service-name': 'web',
    'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
  });
  t.deepEqual(slice?.ports, [{ name: 'http', protocol: 'TCP', port: 8080 }]);
  t.deepEqual(slice?.endpoints, [
    {
      addresses: ['127.65.0.1'],
      conditions: { ready: true, serving: true, terminating: false },
      targetRef: { kind: 'Pod', namespace: 'default', name: 'web-1', uid: 'u1' },
      nodeName: 'node-1',
      zone: 'zone-a',
    },
  ]);
});

test('a terminating pod serves but is not ready; publishNotReadyAddresses overrides', (t) => {
  const conditions = (s: core.Service, pod: core.Pod) =>
    decideSlices({ service: s, pods: [pod], slices: [], zoneOf }).create[0]?.endpoints[0]?.conditions;
  t.deepEqual(conditions(service(), podOf(1, { terminating: true })), {
    ready: false,
    serving: true,
    terminating: true,
  });
  t.deepEqual(conditions(service(), podOf(1, { ready: false })), { ready: false, serving: false, terminating: false });
  const publish = service({ publishNotReadyAddresses: true });
  t.deepEqual(conditions(publish, podOf(1, { ready: false })), { ready: true, serving: false, terminating: false });
});

test('a service without pods keeps one empty slice', (t) => {
  const first = decideSlices({ service: service(), pods: [], slices: [], zoneOf });
  t.is(first.create.length, 1);
  const slices = applied([], first);
  t.deepEqual(decideSlices({ service: service(), pods: [], slices, zoneOf }), { create: [], update: [], remove: [] });
  const filled = applied(slices, decideSlices({ service: service(), pods: [podOf(1)], slices, zoneOf }));
  t.is(filled.length, 1);
  const emptied = applied(filled, decideSlices({ service: service(), pods: [], slices: filled, zoneOf }));
  t.deepEqual(
    emptied.map((s) => s.endpoints.length),
    [0],
  );
});

test('one pod more touches one slice only', (t) => {
  const pods = Array.from({ length: 250 }, (_, i) => podOf(i));
  const slices = applied([], decideSlices({ service: service(), pods, slices: [], zoneOf }));
  t.deepEqual(
    slices.map((s) => s.endpoints.length),
    [100, 100, 50],
  );
  const plan = decideSlices({ service: service(), pods: [...pods, podOf(999)], slices, zoneOf });
  t.deepEqual([plan.create.length, plan.update.length, plan.remove.length], [0, 1, 0]);
  const lost = decideSlices({ service: service(), pods: pods.slice(1), slices, zoneOf });
  t.deepEqual([lost.create.length, lost.update.length, lost.remove.length], [0, 1, 0]);
});

test('pods with different numbers for a named port get slices of their own', (t) => {
  const pods = [podOf(1, { port: 8080 }), podOf(2, { port: 9090 })];
  const plan = decideSlices({ service: service(), pods, slices: [], zoneOf });
  t.deepEqual(
    plan.create.map((s) => s.ports[0]?.port),
    [8080, 9090],
  );
});

const step = fc.array(
  fc.record({ index: fc.integer({ min: 0, max: 240 }), ready: fc.boolean(), port: fc.constantFrom(80, 81) }),
  { maxLength: 230 },
);

test('slices hold exactly the pods, within their size, whatever happened before; and then rest', (t) => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 4 }), (steps) => {
      let slices: discovery.EndpointSlice[] = [];
      for (const facts of steps) {
        const pods = [...new Map(facts.map((f) => [f.index, podOf(f.index, f)])).values()];
        slices = applied(slices, decideSlices({ service: service(), pods, slices, zoneOf }));
        const seen = slices.flatMap((s) =>
          s.endpoints.map((e) => `${e.targetRef?.name} ${e.conditions.ready} ${s.ports[0]?.port}`),
        );
        const wanted = pods.map(
          (p) =>
            `${p.metadata.name} ${p.status.conditions?.[0]?.status === 'True'} ${p.spec.containers[0]?.ports?.[0]?.containerPort}`,
        );
        t.deepEqual(seen.toSorted(), wanted.toSorted());
        t.true(slices.every((s) => s.endpoints.length <= maxEndpointsPerSlice));
        t.deepEqual(decideSlices({ service: service(), pods, slices, zoneOf }), { create: [], update: [], remove: [] });
      }
    }),
    { numRuns: 40 },
  );
});

test('Endpoints: ready and not ready addresses by ports, unchanged when they are right', (t) => {
  const pods = [podOf(2), podOf(1), podOf(3, { ready: false }), podOf(4, { terminating: true })];
  const wanted = decideEndpoints(service(), pods, undefined);
  t.is(wanted?.subsets?.length, 1);
  t.deepEqual(
    wanted?.subsets?.[0]?.addresses?.map((a) => a.ip),
    ['127.65.0.1', '127.65.0.2'],
  );
  t.deepEqual(
    wanted?.subsets?.[0]?.notReadyAddresses?.map((a) => a.ip),
    ['127.65.0.3'],
  );
  t.deepEqual(wanted?.subsets?.[0]?.ports, [{ protocol: 'TCP', port: 8080, name: 'http' }]);
  t.is(decideEndpoints(service(), pods.toReversed(), wanted), undefined);
});
