import test from 'ava';
import fc from 'fast-check';
import { at, listAt, pathOf, TestApi } from '../testing/api.js';
import { addressIn, parseRange, pick } from './service-addresses.js';

const path = pathOf('services');
const service = (name: string, spec: object = {}): object => ({
  metadata: { name },
  spec: { ports: [{ port: 80 }], ...spec },
});

test('ranges', (t) => {
  t.is(addressIn('127.193.0.0/16', 1), '127.193.0.1');
  t.is(addressIn('127.193.0.0/16', 300), '127.193.1.44');
  t.deepEqual(parseRange('10.1.2.3/24'), { base: 0x0a010200, size: 256 });
});

test('a free place is found while there is one, and is always free', (t) => {
  fc.assert(
    fc.property(fc.string(), fc.uniqueArray(fc.integer({ min: 5, max: 24 })), (seed, taken) => {
      const found = pick(seed, 5, 24, (n) => taken.includes(n));
      return taken.length === 20
        ? found === undefined
        : found !== undefined && found >= 5 && found <= 24 && !taken.includes(found);
    }),
  );
  t.pass();
});

test('every service gets an address of its own, above the band for those that ask', async (t) => {
  const api = await TestApi.ready();
  const made = await Promise.all(Array.from({ length: 200 }, (_, i) => api.create('services', service(`s${i}`))));
  const addresses = made.map((s) => String(at(s, 'spec.clusterIP')));
  t.is(new Set(addresses).size, 200);
  t.true(addresses.every((ip) => /^10\.0\.([1-9]|\d\d+)\.\d+$/.test(ip)));
  t.deepEqual(at(made[0], 'spec.clusterIPs'), [addresses[0]]);
  t.deepEqual(at(made[0], 'spec.ipFamilies'), ['IPv4']);
  t.is(at(made[0], 'spec.ipFamilyPolicy'), 'SingleStack');
});

test('a deleted service’s address is free again, and comes back to the same name', async (t) => {
  const api = await TestApi.ready();
  const one = await api.create('services', service('a'));
  await api.call('DELETE', `${path}/a`);
  t.is(at(await api.create('services', service('a')), 'spec.clusterIP'), at(one, 'spec.clusterIP'));
});

test('an address that is asked for must be free and in range', async (t) => {
  const api = await TestApi.ready();
  t.is(at(await api.create('services', service('a', { clusterIP: '10.0.0.10' })), 'spec.clusterIP'), '10.0.0.10');
  const taken = await api.call('POST', path, { body: service('b', { clusterIP: '10.0.0.10' }) });
  t.is(taken.status, 422);
  t.regex(String(at(taken.json, 'message')), /failed to allocate IP 10.0.0.10: provided IP is already allocated/);
  const outside = await api.call('POST', path, { body: service('b', { clusterIP: '10.1.0.10' }) });
  t.regex(String(at(outside.json, 'message')), /not in the valid range. The range of valid IPs is 10.0.0.0\/16/);
});

test('headless and external services have none', async (t) => {
  const api = await TestApi.ready();
  t.is(at(await api.create('services', service('a', { clusterIP: 'None' })), 'spec.clusterIP'), 'None');
  const external = await api.create('services', service('b', { type: 'ExternalName', externalName: 'example.com' }));
  t.is(at(external, 'spec.clusterIP'), undefined);
});

test('node ports: given, kept, released', async (t) => {
  const api = await TestApi.ready();
  const made = await api.create(
    'services',
    service('a', {
      type: 'NodePort',
      ports: [
        { name: 'x', port: 80 },
        { name: 'y', port: 81 },
      ],
    }),
  );
  const ports = listAt(made, 'spec.ports').map((p) => Number(at(p, 'nodePort')));
  t.true(ports.every((p) => p >= 30000 && p <= 32767));
  t.is(new Set(ports).size, 2);
  const again = await api.call('PUT', `${path}/a`, {
    body: service('a', {
      type: 'NodePort',
      ports: [
        { name: 'x', port: 80 },
        { name: 'y', port: 81 },
      ],
    }),
  });
  t.is(again.status, 200, again.text);
  t.deepEqual(
    listAt(again.json, 'spec.ports').map((p) => at(p, 'nodePort')),
    ports,
  );
  t.is(at(again.json, 'spec.clusterIP'), at(made, 'spec.clusterIP'));
  const taken = await api.call('POST', path, {
    body: service('b', { type: 'NodePort', ports: [{ port: 80, nodePort: ports[0] }] }),
  });
  t.regex(String(at(taken.json, 'message')), /provided port is already allocated/);
  const plain = await api.call('PATCH', `${path}/a`, { body: { spec: { type: 'ClusterIP' } } });
  t.is(plain.status, 200, plain.text);
  t.is(at(plain.json, 'spec.ports.0.nodePort'), undefined);
});

test('a load balancer may do without node ports', async (t) => {
  const api = await TestApi.ready();
  const made = await api.create(
    'services',
    service('a', { type: 'LoadBalancer', allocateLoadBalancerNodePorts: false }),
  );
  t.is(at(made, 'spec.ports.0.nodePort'), undefined);
});

test('a dry run reserves nothing', async (t) => {
  const api = await TestApi.ready();
  const query = { dryRun: 'All' };
  const body = service('a', { clusterIP: '10.0.0.99' });
  t.is((await api.call('POST', path, { body, query })).status, 201);
  t.is((await api.call('POST', path, { body })).status, 201);
});
