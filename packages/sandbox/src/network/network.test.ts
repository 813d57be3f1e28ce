import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { AddressPool, cidrContains, formatIPv4, parseCidr, parseIPv4 } from './ipam.js';
import { loopbackDriver } from './loopback.js';

test('addresses read and write alike', (t) => {
  fc.assert(fc.property(fc.ipV4(), (text) => formatIPv4(parseIPv4(text)!) === text));
  for (const wrong of ['1.2.3', '1.2.3.256', 'a.b.c.d', '1.2.3.4.5', '']) t.is(parseIPv4(wrong), undefined);
});

test('blocks', (t) => {
  t.deepEqual(parseCidr('127.65.1.7/24'), { base: parseIPv4('127.65.1.0')!, size: 256 });
  t.is(parseCidr('127.65.1.7'), undefined);
  t.is(parseCidr('127.65.1.7/33'), undefined);
  const cidr = parseCidr('127.65.1.0/24')!;
  t.true(cidrContains(cidr, parseIPv4('127.65.1.255')!));
  t.false(cidrContains(cidr, parseIPv4('127.65.2.0')!));
});

test('the pool gives each address once, and those freed last of all', (t) => {
  const pool = new AddressPool(parseCidr('127.126.1.0/29')!, ['127.126.1.1']);
  const given = [1, 2, 3, 4, 5].map(() => pool.allocate());
  t.deepEqual(given, ['127.126.1.2', '127.126.1.3', '127.126.1.4', '127.126.1.5', '127.126.1.6']);
  t.is(pool.allocate(), undefined);
  pool.release('127.126.1.3');
  pool.release('127.126.1.5');
  t.is(pool.allocate(), '127.126.1.3');
  t.false(pool.reserve('127.126.1.2'));
  t.true(pool.reserve('127.126.1.5'));
  t.false(pool.reserve('127.126.9.9'));
});

test('the pool never gives an address that is held', (t) => {
  const command = fc.oneof(fc.constant('take' as const), fc.nat(20));
  fc.assert(
    fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
      const pool = new AddressPool(parseCidr('127.126.2.0/28')!, ['127.126.2.1']);
      const held: string[] = [];
      for (const step of commands) {
        if (step === 'take') {
          const address = pool.allocate();
          if (address === undefined) {
            if (held.length < 13) return false;
            continue;
          }
          if (held.includes(address) || address === '127.126.2.1') return false;
          held.push(address);
        } else if (held.length > 0) {
          const [address] = held.splice(step % held.length, 1);
          pool.release(address!);
        }
      }
      return true;
    }),
  );
  t.pass();
});

test('a pod has an address, a private twin, and its own again after a restart', (t) => {
  const podDir = mkdtempSync(join(tmpdir(), 'flotilla-net-'));
  t.teardown(() => rmSync(podDir, { recursive: true, force: true }));
  const options = {
    podCIDR: '127.126.1.0/24',
    clusterPodCIDR: '127.126.0.0/16',
    clusterLocalCIDR: '127.190.0.0/16',
    nodeIP: '127.126.1.1',
    dns: '127.126.1.1:10053',
    clusterDomain: 'cluster.local',
    pilot: '127.0.0.1:15010',
  };
  const dns = { host: false, searches: ['default.svc.cluster.local'], ndots: 5 };
  const request = { podDir, hostNetwork: false, dns, hostname: 'web-0' };
  const driver = loopbackDriver(options);
  const network = driver.attach(request)!;
  t.is(network.podIP, '127.126.1.2');
  t.is(network.localIP, '127.190.1.2');
  t.true(existsSync(join(network.captureDir, 'inbound')));
  t.like(network.env, {
    FLOTILLA_NETWORK: 'loopback',
    FLOTILLA_POD_IP: '127.126.1.2',
    FLOTILLA_LOCAL_IP: '127.190.1.2',
    FLOTILLA_DNS: '127.126.1.1:10053',
    FLOTILLA_HOSTNAME: 'web-0',
    FLOTILLA_PILOT: '127.0.0.1:15010',
  });
  const next = loopbackDriver(options);
  t.is(next.attach({ ...request, podIP: '127.126.1.2' })!.podIP, '127.126.1.2');
  t.is(next.attach(request)!.podIP, '127.126.1.3');
  const onHost = next.attach({ ...request, hostNetwork: true })!;
  t.is(onHost.podIP, '127.126.1.1');
  t.is(onHost.env['FLOTILLA_NETWORK'], undefined);
});
