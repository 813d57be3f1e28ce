import test from 'ava';
import * as fc from 'fast-check';
import { WireError } from './codec/index.js';
import { duration, durationMs } from './duration.js';
import {
  decodeResource,
  encodeResource,
  pushOrder,
  resourceKind,
  resourceName,
  resourceToJson,
  typeUrls,
} from './resources.js';
import { adsService } from './service.js';

test('durations keep their milliseconds', (t) => {
  fc.assert(fc.property(fc.nat(10_000_000), (ms) => t.is(durationMs(duration(ms)), ms)));
  t.deepEqual(duration(1500), { seconds: 1, nanos: 500_000_000 });
  t.deepEqual(duration(0.025), { seconds: 0, nanos: 25_000 });
  t.is(durationMs({}), 0);
  t.is(durationMs(undefined), undefined);
});

test('a kind has one type URL', (t) => {
  for (const kind of pushOrder) t.is(resourceKind(typeUrls[kind]), kind);
  t.is(typeUrls.listener, 'type.googleapis.com/envoy.config.listener.v3.Listener');
  t.is(resourceKind('type.googleapis.com/envoy.config.listener.v2.Listener'), undefined);
});

test('a resource is itself again, and of no other kind', (t) => {
  const any = encodeResource('cluster', { name: 'a', type: 'EDS' });
  t.deepEqual(decodeResource('cluster', any), { name: 'a', type: 'EDS' });
  t.throws(() => decodeResource('listener', any), { instanceOf: WireError });
  t.is(resourceName('endpoint', { cluster_name: 'c' }), 'c');
  t.deepEqual(resourceToJson('cluster', { name: 'a', connect_timeout: { seconds: 10 } }), {
    name: 'a',
    connect_timeout: '10s',
  });
});

test('the service speaks for both sides of gRPC', (t) => {
  const { path, requestSerialize, requestDeserialize, responseSerialize, responseDeserialize } =
    adsService.StreamAggregatedResources;
  t.is(path, '/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources');
  const request = {
    type_url: typeUrls.cluster,
    node: { id: 'n', metadata: { LABELS: { a: 'b' }, N: 1.5, L: [true, null] } },
  };
  t.deepEqual(requestDeserialize(requestSerialize(request)), request);
  const response = {
    type_url: typeUrls.cluster,
    version_info: '1',
    resources: [encodeResource('cluster', { name: 'a' })],
  };
  const bytes = responseSerialize(response);
  t.deepEqual(responseDeserialize(bytes), response);
  t.deepEqual(responseSerialize(new Uint8Array(bytes)), bytes, 'bytes pass as they are');
});
