import test from 'ava';
import fc from 'fast-check';
import { bindAddress, dial, type PodView, proxyHeader } from './addresses.js';
import { candidates } from './names.js';
import { type CaptureRules, capturesInbound, capturesOutbound } from './rules.js';

const rules: CaptureRules = {
  outboundPort: 15001,
  inboundPort: 15006,
  includeOutboundCIDRs: ['*'],
  excludeOutboundCIDRs: ['127.254.9.0/24'],
  includeInboundPorts: ['*'],
  excludeInboundPorts: [15020, 15021, 15090],
  excludeOutboundPorts: [4222],
};
const plainPod: PodView = {
  podIP: '127.126.1.5',
  localIP: '127.190.1.5',
  rules: undefined,
  onlyLocal: (port) => port === 9000,
};
const captured: PodView = { ...plainPod, rules };

test('servers without capture: the wildcard is the pod’s address, localhost its twin', (t) => {
  t.is(bindAddress(plainPod, '::', 80), '127.126.1.5');
  t.is(bindAddress(plainPod, '0.0.0.0', 0), '127.126.1.5');
  t.is(bindAddress(plainPod, '127.0.0.1', 80), '127.190.1.5');
  t.is(bindAddress(plainPod, '::1', 80), '127.190.1.5');
  t.is(bindAddress(plainPod, '127.126.1.5', 80), '127.126.1.5');
  t.is(bindAddress(plainPod, '127.0.0.6', 80), undefined);
});

test('servers with capture: the proxy has the pod’s address', (t) => {
  t.is(bindAddress(captured, '::', 80), '127.190.1.5');
  t.is(bindAddress(captured, '127.126.1.5', 80), '127.190.1.5');
  t.is(bindAddress(captured, '127.126.1.5', 0), '127.126.1.5');
  t.is(bindAddress(captured, '::', 15020), '127.126.1.5');
});

test('clients within the pod', (t) => {
  t.deepEqual(dial(plainPod, '127.0.0.1', 80), { address: '127.126.1.5', port: 80 });
  t.deepEqual(dial(plainPod, '::1', 9000), { address: '127.190.1.5', port: 9000 });
  t.deepEqual(dial(captured, '127.0.0.1', 80), { address: '127.190.1.5', port: 80 });
  t.deepEqual(dial(captured, '127.0.0.1', 15020), { address: '127.126.1.5', port: 15020 });
  t.deepEqual(dial(captured, '127.126.1.5', 80), { address: '127.190.1.5', port: 80 });
});

test('clients of others', (t) => {
  t.deepEqual(dial(plainPod, '127.254.0.1', 80), { address: '127.254.0.1', port: 80, source: '127.126.1.5' });
  t.is(dial(plainPod, '192.0.2.1', 80), undefined);
  t.deepEqual(dial(captured, '192.0.2.1', 80), {
    address: '127.126.1.5',
    port: 15001,
    source: '127.126.1.5',
    original: { address: '192.0.2.1', port: 80 },
  });
  t.deepEqual(dial(captured, '::ffff:127.254.0.1', 80)?.original, { address: '127.254.0.1', port: 80 });
  t.deepEqual(dial(captured, '127.254.9.1', 80), { address: '127.254.9.1', port: 80, source: '127.126.1.5' });
  t.is(dial(captured, '192.0.2.1', 4222), undefined);
});

test('rules', (t) => {
  t.true(capturesInbound(rules, 9080));
  t.false(capturesInbound(rules, 15006));
  t.false(capturesInbound({ ...rules, includeInboundPorts: ['80', 81] }, 9080));
  t.true(capturesInbound({ ...rules, includeInboundPorts: ['80', 81] }, 81));
  t.false(capturesOutbound({ ...rules, includeOutboundCIDRs: ['10.0.0.0/8'] }, '127.0.0.2', 80));
  t.true(capturesOutbound({ ...rules, includeOutboundCIDRs: ['10.0.0.0/8'] }, '10.1.2.3', 80));
  t.false(capturesOutbound({ ...rules, includeOutboundCIDRs: [] }, '10.1.2.3', 80));
});

test('the PROXY header of version 2', (t) => {
  const header = proxyHeader({ address: '127.126.1.5', port: 40000 }, { address: '127.254.0.1', port: 80 });
  t.is(header.toString('hex'), '0d0a0d0a000d0a515549540a' + '2111000c' + '7f7e0105' + '7ffe0001' + '9c40' + '0050');
  const v6 = proxyHeader({ address: '127.126.1.5', port: 1 }, { address: '2001:db8::1', port: 2 });
  t.is(v6.subarray(12, 16).toString('hex'), '21210024');
  t.is(v6.subarray(16, 32).toString('hex'), '00000000000000000000ffff7f7e0105');
  t.is(v6.subarray(32, 48).toString('hex'), '20010db8000000000000000000000001');
});

test('any IPv6 address is written right', (t) => {
  fc.assert(
    fc.property(fc.ipV6(), (text) => {
      const bytes = proxyHeader({ address: '1.2.3.4', port: 1 }, { address: text, port: 1 }).subarray(32, 48);
      const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(2 * i).toString(16)).join(':');
      return new URL(`http://[${groups}]/`).host === new URL(`http://[${text}]/`).host;
    }),
  );
  t.pass();
});

test('search list: whole names as they are, short ones through the list, the rest is the host’s', (t) => {
  const dns = {
    domain: 'cluster.local',
    searches: ['default.svc.cluster.local', 'svc.cluster.local', 'corp.example'],
    ndots: 5,
  };
  t.deepEqual(candidates('web', dns), ['web.default.svc.cluster.local', 'web.svc.cluster.local']);
  t.deepEqual(candidates('web.other', dns), ['web.other.default.svc.cluster.local', 'web.other.svc.cluster.local']);
  t.deepEqual(candidates('WEB.default.svc.cluster.local', dns), ['web.default.svc.cluster.local']);
  t.deepEqual(candidates('web.default.svc.cluster.local.', dns), ['web.default.svc.cluster.local']);
  t.deepEqual(candidates('example.com.', dns), []);
  t.deepEqual(candidates('a.b.c.d.e.f', dns), []);
});
