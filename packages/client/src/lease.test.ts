import { leases, type coordination, type KubeObject } from '@flotilla/api';
import { ManualClock, silentLogger } from '@flotilla/base';
import { systemClock } from '@flotilla/host';
import test from 'ava';
import { Client, decideLease, LeaseElector, type Transport } from './index.js';
import { FakeApi, until } from './testing/fake-api.js';

const time = { monotonic: 100_000, wall: Date.UTC(2026, 0, 1) };
const spec = (holderIdentity: string): coordination.LeaseSpec => ({
  holderIdentity,
  leaseDurationSeconds: 15,
  leaseTransitions: 3,
  acquireTime: 'then',
});

test('decide: create, renew, wait, take over', (t) => {
  t.like(decideLease(undefined, 'me', 15, time), {
    act: 'create',
    spec: { holderIdentity: 'me', leaseTransitions: 0 },
  });
  t.like(decideLease({ spec: spec('me'), since: 0 }, 'me', 15, time), {
    act: 'update',
    spec: { holderIdentity: 'me', acquireTime: 'then', leaseTransitions: 3, renewTime: '2026-01-01T00:00:00.000000Z' },
  });
  t.deepEqual(decideLease({ spec: spec('you'), since: 85_001 }, 'me', 15, time), { act: 'wait', holder: 'you' });
  const taken = decideLease({ spec: spec('you'), since: 85_000 }, 'me', 15, time);
  t.like(taken, { act: 'update', spec: { holderIdentity: 'me', leaseTransitions: 4 } });
  t.like(decideLease({ spec: spec(''), since: 100_000 }, 'me', 15, time), { act: 'update' });
});

/** An API server without a network, that honours resourceVersion. */
function direct(api: FakeApi, failing: () => boolean = () => false): Transport {
  return {
    async request(request) {
      if (failing()) throw new Error('no way');
      if (request.method === 'PUT') {
        const sent = JSON.parse(Buffer.from(request.body!).toString()) as KubeObject;
        const stored = api.objects.get(sent.metadata.name!);
        if (stored?.metadata.resourceVersion !== sent.metadata.resourceVersion) {
          const status = { kind: 'Status', code: 409, reason: 'Conflict', metadata: {} };
          return { status: 409, contentType: '', body: Buffer.from(JSON.stringify(status)) };
        }
      }
      return api.respond(request);
    },
    stream: () => Promise.reject(new Error('no streams')),
    close: () => Promise.resolve(),
  };
}

test('one leads at a time; the next takes over when the lease is given back', async (t) => {
  const api = new FakeApi();
  const client = new Client(direct(api), { logger: silentLogger });
  const log: string[] = [];
  const elector = (identity: string) =>
    new LeaseElector({
      client,
      namespace: 'kube-system',
      name: 'test',
      identity,
      clock: systemClock,
      logger: silentLogger,
      retryPeriod: 0.02,
      onStartedLeading: (signal) => {
        log.push(`+${identity}`);
        signal.addEventListener('abort', () => log.push(`-${identity}`));
      },
    });
  const [a, b] = [elector('a'), elector('b')];
  t.teardown(() => Promise.all([a.stop(), b.stop()]));
  a.start();
  await until(() => a.leading);
  b.start();
  const renewals = Number(api.objects.get('test')?.metadata.resourceVersion);
  await until(() => Number(api.objects.get('test')?.metadata.resourceVersion) > renewals + 2);
  t.false(b.leading);
  await a.stop();
  await until(() => b.leading);
  t.deepEqual(log, ['+a', '-a', '+b']);
  t.is((await client.resource(leases).get('test', 'kube-system')).spec.leaseTransitions, 1);
});

test('a leader that cannot renew stops before others may start', async (t) => {
  const api = new FakeApi();
  const clock = new ManualClock(1_000_000);
  let broken = false;
  const client = new Client(
    direct(api, () => broken),
    { logger: silentLogger },
  );
  const elector = new LeaseElector({
    client,
    namespace: 'kube-system',
    name: 'test',
    identity: 'a',
    clock,
    logger: silentLogger,
    onStartedLeading: () => undefined,
  });
  t.teardown(() => elector.stop());
  elector.start();
  await until(() => elector.leading);
  broken = true;
  let seconds = 0;
  while (elector.leading) {
    clock.advance(1000);
    seconds++;
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.true(seconds >= 10 && seconds <= 14, `${seconds} s`);
  broken = false;
  clock.advance(2000);
  await until(() => elector.leading);
});
