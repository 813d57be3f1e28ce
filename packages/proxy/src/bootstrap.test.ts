import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { readBootstrap } from './bootstrap.js';
import { ArgumentError, parseIptablesArgs } from './init/iptables-args.js';
import { runInit } from './init/main.js';
import { podNetwork } from './network.js';

const env = {
  POD_NAME: 'reviews-v1-7f5c9d8b4-xk2mp',
  POD_NAMESPACE: 'shop',
  INSTANCE_IP: '10.0.0.1',
  SERVICE_ACCOUNT: 'sa',
  PROXY_CONFIG: '{"discoveryAddress":"istiod.istio-system.svc:15012","terminationDrainDuration":"7s"}',
  ISTIO_META_CLUSTER_ID: 'c1',
  ISTIO_METAJSON_LABELS: '{"app":"reviews","version":"v1"}',
};

test("reads Istio's conventions", (t) => {
  const b = readBootstrap(['sidecar', '--domain', 'shop.svc.cluster.local', '--proxyLogLevel=debug'], env);
  t.is(b.node.id, 'sidecar~10.0.0.1~reviews-v1-7f5c9d8b4-xk2mp.shop~shop.svc.cluster.local');
  t.is(b.node.cluster, 'reviews.shop');
  t.is(b.workload, 'reviews-v1');
  t.deepEqual(b.pilot, { host: 'istiod.istio-system.svc', port: 15_012 });
  t.is(b.drain, 7000);
  t.is(b.logLevel, 'debug');
  t.like(b.node.metadata, {
    CLUSTER_ID: 'c1',
    NAMESPACE: 'shop',
    LABELS: { app: 'reviews', version: 'v1' },
    SERVICE_ACCOUNT: 'sa',
  });
  t.is(b.node.metadata?.INTERCEPTION_MODE, undefined);
  t.is(b.loopback, undefined);
});

test("the loopback network's variables win", (t) => {
  const more = {
    FLOTILLA_NETWORK: 'loopback',
    FLOTILLA_POD_IP: '127.65.1.5',
    FLOTILLA_LOCAL_IP: '127.129.1.5',
    FLOTILLA_PILOT: '127.0.0.1:15010',
    ISTIO_META_WORKLOAD_NAME: 'w',
  };
  const b = readBootstrap(['router'], { ...env, ...more });
  t.is(b.type, 'router');
  t.is(b.podIP, '127.65.1.5');
  t.deepEqual(b.pilot, { host: '127.0.0.1', port: 15_010 });
  t.is(b.node.metadata?.INTERCEPTION_MODE, 'LOOPBACK');
  t.is(b.workload, 'w');
});

test('nothing at all is still a proxy', (t) => {
  const b = readBootstrap([], {});
  t.is(b.type, 'sidecar');
  t.is(b.namespace, 'default');
});

test('on loopback the pod is reached at its twin, and is the source of what stays on the machine', (t) => {
  const network = podNetwork({ podIP: '127.65.1.5', loopback: { localIP: '127.129.1.5', captureDir: undefined } });
  t.deepEqual(
    ['127.65.1.5', '127.0.0.1', '127.65.1.6', '8.8.8.8'].map((a) => network.dialAddress(a)),
    ['127.129.1.5', '127.129.1.5', '127.65.1.6', '8.8.8.8'],
  );
  t.deepEqual(
    ['127.65.1.6', '8.8.8.8'].map((a) => network.sourceFor(a)),
    ['127.65.1.5', undefined],
  );
  t.deepEqual(
    ['0.0.0.0', '127.0.0.1', '127.65.1.5'].map((a) => network.bindAddress(a)),
    ['127.65.1.5', '127.129.1.5', '127.65.1.5'],
  );
});

test("istio-iptables' arguments as injection writes them", (t) => {
  const args = [
    '-p',
    '15001',
    '-z',
    '15006',
    '-u',
    '1337',
    '-m',
    'REDIRECT',
    '-i',
    '*',
    '-x',
    '10.0.0.0/8',
    '-b',
    '*',
    '-d',
    '15090,15021,15020',
    '--log_output_level=default:info',
  ];
  t.deepEqual(parseIptablesArgs(args), {
    outboundPort: 15_001,
    inboundPort: 15_006,
    includeOutboundCIDRs: ['*'],
    excludeOutboundCIDRs: ['10.0.0.0/8'],
    includeInboundPorts: ['*'],
    excludeInboundPorts: [15_090, 15_021, 15_020],
    excludeOutboundPorts: [],
  });
  t.deepEqual(parseIptablesArgs(['-b', '80,81', '-o', '3306', '-x', '']).includeInboundPorts, [80, 81]);
  t.deepEqual(parseIptablesArgs(['-b', '']).includeInboundPorts, []);
  for (const bad of [['-p', 'x'], ['-p'], ['stray'], ['-o', '99999']])
    t.throws(() => parseIptablesArgs(bad), { instanceOf: ArgumentError });
});

test('istio-init writes the rules at once and whole', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'flotilla-init-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  runInit(['-p', '15001'], { FLOTILLA_NETWORK: 'loopback', FLOTILLA_CAPTURE_DIR: `${dir}/capture` });
  t.deepEqual(readdirSync(`${dir}/capture`), ['rules.json']);
  t.like(JSON.parse(readFileSync(`${dir}/capture/rules.json`, 'utf8')), {
    outboundPort: 15_001,
    excludeInboundPorts: [15_020, 15_021, 15_090],
  });
  t.throws(() => runInit([], {}), { instanceOf: ArgumentError });
});
