import test from 'ava';
import * as fc from 'fast-check';
import { seededRandom } from '@flotilla/base';
import { type BalancerKind, makeBalancer } from './balance.js';
import { type Host, type HostInit, mergeHosts, newHost } from './host.js';
import { HostSet, priorityLoads } from './host-set.js';

const hosts = (...init: Partial<HostInit>[]): Host[] =>
  init.map((more, i) => newHost({ address: `10.0.0.${i + 1}`, port: 80, ...more }));

function count(pick: () => Host | undefined, times: number): Record<string, number> {
  const seen: Record<string, number> = {};
  for (let i = 0; i < times; i++) {
    const key = pick()?.address ?? 'none';
    seen[key] = (seen[key] ?? 0) + 1;
  }
  return seen;
}

test('round robin is even; by weight it is exact and interleaved', (t) => {
  const even = makeBalancer({ kind: 'ROUND_ROBIN' }, hosts({}, {}, {}), seededRandom(1));
  t.deepEqual(
    count(() => even.pick(), 9),
    { '10.0.0.1': 3, '10.0.0.2': 3, '10.0.0.3': 3 },
  );
  const weighted = makeBalancer({ kind: 'ROUND_ROBIN' }, hosts({ weight: 3 }, { weight: 1 }), seededRandom(1));
  t.deepEqual(
    count(() => weighted.pick(), 400),
    { '10.0.0.1': 300, '10.0.0.2': 100 },
  );
  const four = Array.from({ length: 4 }, () => weighted.pick()!.address);
  t.is(four.filter((a) => a === '10.0.0.2').length, 1, 'one in every four, not a hundred in a row');
});

test('least request prefers the idle host of two', (t) => {
  const [busy, idle] = hosts({}, {});
  busy!.active = 10;
  const balancer = makeBalancer({ kind: 'LEAST_REQUEST' }, [busy!, idle!], seededRandom(3));
  const seen = count(() => balancer.pick(), 1000);
  // Only when both choices fall on the busy one: a quarter.
  t.true((seen['10.0.0.1'] ?? 0) > 180 && (seen['10.0.0.1'] ?? 0) < 320);
});

test('property: whatever the policy, picks are among the hosts and follow the weights', (t) => {
  const kind = fc.constantFrom<BalancerKind>('ROUND_ROBIN', 'RANDOM', 'LEAST_REQUEST');
  fc.assert(
    fc.property(
      kind,
      fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 6 }),
      fc.nat(),
      (k, weights, seed) => {
        const list = hosts(...weights.map((weight) => ({ weight })));
        const balancer = makeBalancer({ kind: k }, list, seededRandom(seed));
        const total = weights.reduce((a, b) => a + b, 0);
        const seen = count(() => balancer.pick(), total * 200);
        for (const [i, weight] of weights.entries()) {
          const got = seen[list[i]!.address] ?? 0;
          t.true(Math.abs(got - weight * 200) < 40 + weight * 80, `${k} ${String(weights)}: ${got} for ${weight}`);
        }
        t.is(seen.none, undefined);
      },
    ),
    { numRuns: 60 },
  );
});

const set = (list: Host[], panicThreshold = 0): HostSet =>
  new HostSet({ kind: 'ROUND_ROBIN', panicThreshold }, seededRandom(5), list);

test('unhealthy hosts are left out; with none left there is none', (t) => {
  const list = hosts({}, { health: 'unhealthy' });
  const chosen = set(list);
  t.deepEqual(
    count(() => chosen.pick(), 4),
    { '10.0.0.1': 4 },
  );
  list[0]!.ejected = true;
  chosen.rebuild();
  t.is(chosen.pick(), undefined);
});

test('a shunned host is left alone while there are others', (t) => {
  const list = hosts({}, {});
  list[0]!.shunned = true;
  const chosen = set(list);
  t.deepEqual(
    count(() => chosen.pick(), 4),
    { '10.0.0.2': 4 },
  );
  list[1]!.shunned = true;
  chosen.rebuild();
  t.is(Object.keys(count(() => chosen.pick(), 4)).length, 2);
});

test('below the panic threshold health is ignored', (t) => {
  const list = hosts({}, { health: 'unhealthy' }, { health: 'unhealthy' });
  t.is(Object.keys(count(() => set(list, 50).pick(), 1)).length, 1);
  const panicking = set(list, 50);
  t.is(Object.keys(count(() => panicking.pick(), 30)).length, 3);
  const calm = set(list, 0);
  t.is(Object.keys(count(() => calm.pick(), 30)).length, 1);
});

test('priorities: the next level takes over as the first one fails', (t) => {
  const level = (healthy: number, total: number, priority: number): Host[] =>
    hosts(
      ...Array.from({ length: total }, (_, i) => ({
        priority,
        health: i < healthy ? ('healthy' as const) : ('unhealthy' as const),
      })),
    );
  const loads = (...levels: [healthy: number, total: number][]): number[] => {
    const all = levels.map(([healthy, total], p) => level(healthy, total, p));
    const healthy = all.map((l) => l.filter(({ health }) => health === 'healthy'));
    return priorityLoads(all, healthy, { panicThreshold: 50 }).loads.map(Math.round);
  };
  // The examples of Envoy's documentation, with its overprovisioning factor of 1.4.
  t.deepEqual(loads([100, 100], [100, 100]), [100, 0]);
  t.deepEqual(loads([72, 100], [72, 100]), [100, 0]);
  t.deepEqual(loads([71, 100], [71, 100]), [99, 1]);
  t.deepEqual(loads([50, 100], [50, 100]), [70, 30]);
  t.deepEqual(loads([25, 100], [100, 100]), [35, 65]);
});

test('property: loads add up to 100 whenever somebody can be picked', (t) => {
  const level = fc.array(fc.boolean(), { maxLength: 6 });
  fc.assert(
    fc.property(
      fc.array(level, { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 0, max: 100 }),
      (levels, panicThreshold) => {
        const all = levels.map((l, priority) =>
          hosts(...l.map((up) => ({ priority, health: up ? ('healthy' as const) : ('unhealthy' as const) }))),
        );
        const healthy = all.map((l) => l.filter(({ health }) => health === 'healthy'));
        const { loads, panic } = priorityLoads(all, healthy, { panicThreshold });
        const sum = loads.reduce((a, b) => a + b, 0);
        const usable = all.some((l, p) => (panic[p] ? l.length > 0 : healthy[p]!.length > 0));
        if (usable && sum > 0) t.true(Math.abs(sum - 100) < 1e-6, `${sum}`);
        if (healthy.some((l) => l.length > 0)) t.true(sum > 0);
      },
    ),
  );
});

test('hosts already tried are avoided as far as the attempts go', (t) => {
  const list = hosts({}, {});
  const chosen = set(list);
  for (let i = 0; i < 5; i++)
    t.is(
      chosen.pick((host) => host === list[0], 5),
      list[1],
    );
  t.truthy(
    chosen.pick(() => true, 3),
    'rather a host that was tried than none',
  );
});

test('an update keeps the counts of hosts that stay', (t) => {
  const [a, b] = hosts({}, {});
  a!.active = 3;
  const merged = mergeHosts(
    [a!, b!],
    [
      { address: a!.address, port: 80, weight: 5 },
      { address: '10.0.0.9', port: 80 },
    ],
  );
  t.is(merged[0], a);
  t.deepEqual(
    merged.map(({ address, active, weight }) => [address, active, weight]),
    [
      ['10.0.0.1', 3, 5],
      ['10.0.0.9', 0, 1],
    ],
  );
});

test('localities share by weight and by how healthy they are', (t) => {
  const list = hosts({ locality: 'a' }, { locality: 'b' }, { locality: 'b', health: 'unhealthy' });
  const weights = new Map([
    ['a', 1],
    ['b', 1],
  ]);
  const chosen = new HostSet(
    { kind: 'ROUND_ROBIN', panicThreshold: 0, localityWeights: weights },
    seededRandom(2),
    list,
  );
  const seen = count(() => chosen.pick(), 1700);
  // b is half healthy: 0.5 × 1.4 = 0.7 of its weight.
  t.true(Math.abs((seen['10.0.0.1'] ?? 0) - 1000) < 80, JSON.stringify(seen));
});
