import test from 'ava';
import { deferred } from './async.js';
import { ManualClock } from './clock.js';
import { done, KeyedQueue, retryAfter } from './queue.js';

test('a key waits once however often it is added, and is worked on again if added meanwhile', async (t) => {
  const clock = new ManualClock();
  const gate = deferred<void>();
  const worked: string[] = [];
  const queue = new KeyedQueue({
    clock,
    work: async (key) => {
      worked.push(key);
      if (worked.length === 1) await gate.promise;
      return done;
    },
  });
  queue.add('a');
  queue.add('b');
  queue.add('b');
  queue.add('a');
  gate.resolve();
  await queue.whenIdle();
  t.deepEqual(worked, ['a', 'b', 'a']);
});

test('one key is never worked on twice at once; different keys are, up to the limit', async (t) => {
  const clock = new ManualClock();
  const active = new Map<string, number>();
  let most = 0;
  const queue = new KeyedQueue({
    clock,
    concurrency: 3,
    work: async (key) => {
      active.set(key, (active.get(key) ?? 0) + 1);
      t.is(active.get(key), 1);
      most = Math.max(
        most,
        [...active.values()].reduce((a, b) => a + b, 0),
      );
      await Promise.resolve();
      active.set(key, 0);
      return done;
    },
  });
  for (let i = 0; i < 100; i++) queue.add(String(i % 7));
  await queue.whenIdle();
  t.is(most, 3);
});

test('a failure is retried with growing pauses, which a success forgets', async (t) => {
  const clock = new ManualClock();
  const delays: number[] = [];
  let failures = 3;
  const queue = new KeyedQueue({
    clock,
    backoff: { base: 10, max: 1000 },
    work: () => (failures-- > 0 ? Promise.reject(new Error('no')) : Promise.resolve(done)),
    onError: (_key, _error, delay) => delays.push(delay),
  });
  queue.add('a');
  for (let i = 0; i < 5; i++) {
    await queue.whenIdle();
    clock.advance(1000);
  }
  t.deepEqual(delays, [10, 20, 40]);
  failures = 1;
  queue.add('a');
  await queue.whenIdle();
  t.is(delays.at(-1), 10);
});

test('the earlier of two delays counts, and adding at once cancels it', async (t) => {
  const clock = new ManualClock();
  let count = 0;
  const queue = new KeyedQueue({
    clock,
    work: () => {
      count++;
      return Promise.resolve(count === 1 ? retryAfter(50) : done);
    },
  });
  queue.addAfter('a', 100);
  queue.addAfter('a', 20);
  clock.advance(20);
  await queue.whenIdle();
  t.is(count, 1);
  clock.advance(30);
  await queue.whenIdle();
  t.is(count, 1, 'not before its 50 ms');
  queue.add('a');
  await queue.whenIdle();
  clock.advance(100);
  await queue.whenIdle();
  t.is(count, 2);
});

test('stop takes no more work and waits for what is under way', async (t) => {
  const gate = deferred<void>();
  let ended = false;
  const queue = new KeyedQueue({
    clock: new ManualClock(),
    work: async () => {
      await gate.promise;
      ended = true;
      return done;
    },
  });
  queue.add('a');
  queue.add('b');
  const stopped = queue.stop();
  queue.add('c');
  gate.resolve();
  await stopped;
  t.true(ended);
  t.is(queue.size, 0);
});
