import test from 'ava';
import * as fc from 'fast-check';
import { Histogram, Scope, StatsRegistry } from './registry.js';
import { quantile, renderPrometheus, renderStats } from './render.js';

test("Envoy's names and Prometheus' names of the same counters", (t) => {
  const registry = new StatsRegistry();
  const scope = new Scope(registry, 'cluster', 'cluster_name', 'outbound|80||a"b');
  scope.counter('upstream_rq_5xx', 'upstream_rq_xx', { response_code_class: '5' }).inc(2);
  scope.gauge('upstream_cx_active').set(1);
  scope.histogram('upstream_rq_time').record(7);
  t.is(
    renderStats(registry),
    'cluster.outbound|80||a"b.upstream_cx_active: 1\ncluster.outbound|80||a"b.upstream_rq_5xx: 2\n' +
      'cluster.outbound|80||a"b.upstream_rq_time: P0(5,5) P25(6.25,6.25) P50(7.5,7.5) P75(8.75,8.75) P90(9.5,9.5) P95(9.75,9.75) P99(9.95,9.95) P99.5(9.975,9.975) P99.9(9.995,9.995) P100(10,10)\n',
  );
  const text = renderPrometheus(registry);
  t.true(
    text.includes(
      '# TYPE envoy_cluster_upstream_rq_xx counter\nenvoy_cluster_upstream_rq_xx{response_code_class="5",cluster_name="outbound|80||a\\"b"} 2\n',
    ),
  );
  t.true(text.includes('_bucket{cluster_name="outbound|80||a\\"b",le="10"} 1\n'));
  t.true(text.includes('envoy_cluster_upstream_rq_time_count{cluster_name="outbound|80||a\\"b"} 1\n'));
  t.is(scope.gauge('upstream_cx_active').value, 1, 'the same metric again');
  scope.release();
  t.is(registry.size, 0);
});

test('property: buckets add up, and quantiles are in order', (t) => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 5_000_000, noNaN: true }), { minLength: 1 }), (values) => {
      const histogram = new Histogram();
      for (const value of values) histogram.record(value);
      t.is(
        histogram.counts.reduce((a, b) => a + b, 0),
        values.length,
      );
      const points = [0, 0.5, 0.9, 0.99, 1].map((q) => quantile(histogram, q));
      t.deepEqual(
        points,
        [...points].sort((a, b) => a - b),
      );
    }),
  );
});
