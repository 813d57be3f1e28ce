import type { core } from '@flotilla/api';
import { silentLogger } from '@flotilla/base';
import test from 'ava';
import { eventTtl, expireEvents, lastSeen } from './event-expiry.js';
import { listAt, pathOf, TestApi } from './testing/api.js';

const event = (name: string): object => ({
  metadata: { name, namespace: 'default' },
  involvedObject: { kind: 'Pod', name: 'a', namespace: 'default' },
  type: 'Normal',
});

test('events go an hour after they were last seen', async (t) => {
  const api = await TestApi.ready();
  const expiry = expireEvents({ objects: api.objects, clock: api.clock, logger: silentLogger });
  t.teardown(() => expiry.stop());
  const left = async (): Promise<number> => listAt((await api.call('GET', pathOf('events'))).json, 'items').length;
  await api.create('events', event('old'));
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 20; i++) await new Promise(setImmediate);
  };
  const minutes = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      api.clock.advance(60_000);
      await settle();
    }
  };
  await minutes(30);
  await api.create('events', event('young'));
  t.is(await left(), 2);
  await minutes(31);
  t.is(await left(), 1);
  await minutes(60);
  t.is(await left(), 0);
});

test('an event that is counted up lives on', (t) => {
  const metadata = { creationTimestamp: '2026-01-01T00:00:00Z' };
  const counted: core.Event = {
    metadata,
    involvedObject: {},
    lastTimestamp: '2026-01-01T05:00:00Z',
    source: {},
  } as core.Event;
  t.is(lastSeen(counted) - Date.parse('2026-01-01T00:00:00Z'), 5 * eventTtl);
});
