import test from 'ava';
import * as fc from 'fast-check';
import { seededRandom } from '@flotilla/base';
import { duration, type OutlierDetection } from '@flotilla/xds';
import { CircuitBreakers } from './breakers.js';
import { type Host, newHost } from './host.js';
import { compileOutlier, type HostReport, OutlierDetector } from './outlier.js';

const hosts = (n: number): Host[] => Array.from({ length: n }, (_, i) => newHost({ address: `10.0.0.${i}`, port: 80 }));
const detector = (config: OutlierDetection): OutlierDetector =>
  new OutlierDetector(compileOutlier(config, ''), seededRandom(1));
const bad: HostReport = { status: 500 };

test('five 5xx in a row eject; one success starts anew', (t) => {
  const [host] = hosts(1);
  const d = detector({ max_ejection_percent: 100 });
  for (let i = 0; i < 4; i++) t.false(d.report(host!, bad, 1, 0));
  t.false(d.report(host!, { status: 200 }, 1, 0));
  for (let i = 0; i < 4; i++) t.false(d.report(host!, bad, 1, 0));
  t.true(d.report(host!, bad, 1, 0));
  t.true(host!.ejected);
});

test('ejection lasts base time × how often, and is forgiven in good times', (t) => {
  const [host] = hosts(1);
  const d = detector({ consecutive_5xx: 1, max_ejection_percent: 100, base_ejection_time: duration(30_000) });
  d.report(host!, bad, 1, 0);
  t.deepEqual(d.tick(29_999), []);
  t.deepEqual(d.tick(30_000), [host]);
  d.report(host!, bad, 1, 40_000);
  t.deepEqual(d.tick(99_999), [], 'the second time twice as long');
  t.deepEqual(d.tick(100_000), [host]);
  for (let i = 0; i < 3; i++) d.tick(110_000);
  d.report(host!, bad, 1, 200_000);
  t.deepEqual(d.tick(230_000), [host], 'forgiven');
});

test('no more than max_ejection_percent, one of few only if asked for', (t) => {
  const few = hosts(3);
  t.false(detector({ consecutive_5xx: 1 }).report(few[0]!, bad, 3, 0));
  t.true(detector({ consecutive_5xx: 1, always_eject_one_host: true }).report(few[0]!, bad, 3, 0));
  const many = hosts(10);
  const d = detector({ consecutive_5xx: 1, max_ejection_percent: 20 });
  t.is(many.filter((host) => d.report(host, bad, 10, 0)).length, 2);
});

test('gateway errors and local failures', (t) => {
  const [host] = hosts(1);
  const gateway = detector({
    consecutive_gateway_failure: 2,
    enforcing_consecutive_gateway_failure: 100,
    enforcing_consecutive_5xx: 0,
    max_ejection_percent: 100,
  });
  gateway.report(host!, { status: 500 }, 1, 0);
  t.false(gateway.report(host!, { status: 503 }, 1, 0));
  t.true(gateway.report(host!, { local: 'connect failed' }, 1, 0), 'counts as 503 without the split');
  const [other] = hosts(1);
  const split = detector({
    split_external_local_origin_errors: true,
    consecutive_local_origin_failure: 2,
    max_ejection_percent: 100,
  });
  split.report(other!, { local: 'connect failed' }, 1, 0);
  split.report(other!, { local: 'connected' }, 1, 0);
  t.false(split.report(other!, { local: 'timeout' }, 1, 0));
  t.true(split.report(other!, { local: 'reset' }, 1, 0));
});

test('property: the count of ejected hosts is always right', (t) => {
  const step = fc.record({ host: fc.nat(4), ok: fc.boolean(), tick: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.integer({ min: 0, max: 100 }), (steps, max_ejection_percent) => {
      const list = hosts(5);
      const d = detector({ consecutive_5xx: 2, max_ejection_percent, base_ejection_time: duration(10) });
      let now = 0;
      for (const { host, ok, tick } of steps) {
        now += 5;
        d.report(list[host]!, { status: ok ? 200 : 500 }, 5, now);
        if (tick) d.tick(now);
        t.is(d.ejected, list.filter(({ ejected }) => ejected).length);
        t.true(d.ejected <= (5 * max_ejection_percent) / 100);
      }
    }),
  );
});

test('limits: taken, full, given back; a retry budget is a share of the load', (t) => {
  const limits = new CircuitBreakers({ max_requests: 1 });
  t.deepEqual([limits.requests.tryAcquire(), limits.requests.tryAcquire()], [true, false]);
  limits.requests.release();
  t.true(limits.requests.tryAcquire());
  t.is(new CircuitBreakers().retries.allowed(1000), 3);
  const budget = new CircuitBreakers({ retry_budget: {} }).retries;
  t.deepEqual([budget.allowed(0), budget.allowed(100)], [3, 20]);
});
