import test from 'ava';
import { seededRandom } from '@flotilla/base';
import { duration, type HTTPFault } from '@flotilla/xds';
import { decideCors, compileCors } from './cors.js';
import { compileFault, decideFault, type FaultDecision } from './fault.js';
import { RequestHeaders } from './headers.js';

const request = (headers: Record<string, string> = {}, method = 'GET'): RequestHeaders =>
  new RequestHeaders({ method, path: '/', authority: 'h' }, Object.entries(headers).flat());
const decide = (config: HTTPFault, from = request(), active = 0): FaultDecision =>
  decideFault(compileFault(config, ''), from, 'c', active, seededRandom(1));
const always = { numerator: 100 };

test('delay and abort, in their share', (t) => {
  t.deepEqual(decide({ delay: { fixed_delay: duration(7000), percentage: always } }), { delay: 7000 });
  t.deepEqual(decide({ abort: { http_status: 503, percentage: always } }), { abort: { status: 503 } });
  t.deepEqual(decide({ abort: { grpc_status: 14, percentage: always } }), { abort: { status: 200, grpcStatus: 14 } });
  t.deepEqual(decide({ delay: { fixed_delay: duration(1), percentage: {} } }), {}, 'no percentage is no request');
  const policy = compileFault(
    { abort: { http_status: 500, percentage: { numerator: 100_000, denominator: 'MILLION' } } },
    '',
  );
  const random = seededRandom(4);
  const hits = Array.from({ length: 5000 }, () => decideFault(policy, request(), 'c', 0, random)).filter(
    ({ abort }) => abort,
  ).length;
  t.true(hits > 400 && hits < 600);
});

test('conditions: headers, cluster, how many at once', (t) => {
  const abort = { http_status: 500, percentage: always };
  const headers = [{ name: 'end-user', string_match: { exact: 'jason' } }];
  t.deepEqual(decide({ abort, headers }), {});
  t.deepEqual(decide({ abort, headers }, request({ 'end-user': 'jason' })), { abort: { status: 500 } });
  t.deepEqual(decide({ abort, upstream_cluster: 'other' }), {});
  t.deepEqual(decide({ abort, max_active_faults: 2 }, request(), 2), {});
});

test('a request may ask for faults, and lower their share, not raise it', (t) => {
  const config: HTTPFault = {
    delay: { header_delay: {}, percentage: always },
    abort: { header_abort: {}, percentage: always },
  };
  t.deepEqual(decide(config), {});
  t.deepEqual(decide(config, request({ 'x-envoy-fault-delay-request': '50', 'x-envoy-fault-abort-request': '418' })), {
    delay: 50,
    abort: { status: 418 },
  });
  t.deepEqual(
    decide(config, request({ 'x-envoy-fault-abort-request': '418', 'x-envoy-fault-abort-request-percentage': '0' })),
    {},
  );
  const none: HTTPFault = { abort: { header_abort: {}, percentage: {} } };
  t.deepEqual(
    decide(none, request({ 'x-envoy-fault-abort-request': '418', 'x-envoy-fault-abort-request-percentage': '100' })),
    {},
  );
  t.throws(() => compileFault({ abort: { http_status: 99 } }, 'f'), { message: /f\.abort\.http_status/ });
});

test('CORS: preflight, ordinary requests, strangers', (t) => {
  const config = compileCors(
    {
      allow_origin_string_match: [{ suffix: 'example.com' }],
      allow_methods: 'GET,POST',
      allow_credentials: true,
      expose_headers: 'x',
      max_age: '60',
    },
    '',
  );
  const ask = { origin: 'https://a.example.com', 'access-control-request-method': 'POST' };
  t.deepEqual(decideCors(config, request(ask, 'OPTIONS')), {
    kind: 'preflight',
    headers: [
      ['access-control-allow-origin', 'https://a.example.com'],
      ['access-control-allow-credentials', 'true'],
      ['access-control-allow-methods', 'GET,POST'],
      ['access-control-max-age', '60'],
    ],
  });
  t.is(decideCors(config, request({ origin: 'https://a.example.com' })).kind, 'allow');
  t.is(decideCors(config, request({ origin: 'https://evil.org' })).kind, 'pass');
  t.is(decideCors(config, request()).kind, 'pass');
});
