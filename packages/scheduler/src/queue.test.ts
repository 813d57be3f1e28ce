import { ManualClock } from '@flotilla/base';
import test from 'ava';
import fc from 'fast-check';
import { Heap } from './heap.js';
import { podInfo } from './model/pod-info.js';
import { SchedulingQueue } from './queue.js';
import { podOf } from './testing.js';

const prioritized = (name: string, priority: number) => podInfo(podOf(name, { spec: { priority } }));

function started() {
  const clock = new ManualClock();
  let ready = 0;
  const queue = new SchedulingQueue(clock, { base: 100, max: 1000 }, () => ready++);
  const names = (): string[] => {
    const found: string[] = [];
    for (let next = queue.pop(); next; next = queue.pop()) found.push(next.pod.pod.metadata.name ?? '');
    return found;
  };
  return { clock, queue, names, ready: () => ready };
}

test('the highest priority first, then the oldest', (t) => {
  const { queue, names } = started();
  for (const [name, priority] of [
    ['a', 0],
    ['b', 10],
    ['c', 0],
    ['d', 10],
  ] as const)
    queue.add(prioritized(name, priority));
  t.deepEqual(names(), ['b', 'd', 'a', 'c']);
});

test('an unschedulable pod waits for an event that may help it, and for its back-off', (t) => {
  const { clock, queue, names } = started();
  queue.add(prioritized('a', 0));
  const attempt = queue.pop()!;
  t.is(attempt.attempts, 1);
  queue.putUnschedulable(attempt, new Set(['node']));
  queue.happened('volume');
  clock.advance(1000);
  t.deepEqual(names(), []);
  queue.happened('node');
  const again = queue.pop()!;
  t.is(again.attempts, 2);
  queue.putUnschedulable(again, new Set(['node']));
  queue.happened('node');
  t.deepEqual(names(), []);
  clock.advance(199);
  t.deepEqual(names(), []);
  clock.advance(1);
  t.deepEqual(names(), ['a']);
});

test('a changed pod is tried at once; a removed one never', (t) => {
  const { queue, names, clock } = started();
  queue.add(prioritized('a', 0));
  queue.putUnschedulable(queue.pop()!, new Set(['node']));
  queue.add(prioritized('a', 0));
  t.deepEqual(names(), ['a']);
  queue.add(prioritized('b', 0));
  queue.remove('default/b');
  clock.advance(1_000_000);
  t.deepEqual(names(), []);
});

test('what nothing moves is tried again after five minutes', (t) => {
  const { queue, names, clock } = started();
  queue.add(prioritized('a', 0));
  queue.putUnschedulable(queue.pop()!, new Set(['node']));
  clock.advance(5 * 60_000);
  t.deepEqual(names(), ['a']);
});

test('a heap gives back everything in order', (t) => {
  fc.assert(
    fc.property(fc.array(fc.integer()), (numbers) => {
      const heap = new Heap<number>((a, b) => a < b);
      for (const n of numbers) heap.push(n);
      const found: number[] = [];
      for (let next = heap.pop(); next !== undefined; next = heap.pop()) found.push(next);
      t.deepEqual(
        found,
        numbers.toSorted((a, b) => a - b),
      );
    }),
  );
});
