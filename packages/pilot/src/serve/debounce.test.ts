import test from 'ava';
import * as fc from 'fast-check';
import { Debounce } from './debounce.js';

test('the first change waits 5 ms for company', (t) => {
  const debounce = new Debounce();
  debounce.changed(1000);
  t.is(debounce.dueAt, 1005);
  debounce.changed(1004);
  t.is(debounce.dueAt, 1009);
  debounce.changed(1008);
  t.is(debounce.dueAt, 1010, 'but never more than 10');
  t.is(debounce.take(), 1000);
  t.is(debounce.dueAt, undefined);
});

test('while changes keep coming, pushes become rarer; after a calm they are quick again', (t) => {
  const debounce = new Debounce();
  let now = 0;
  const pushes: number[] = [];
  for (; now < 5000; now++) {
    debounce.changed(now);
    if (debounce.dueAt! <= now) {
      debounce.take();
      pushes.push(now);
    }
  }
  t.true(pushes.length < 10, `${pushes.length} pushes`);
  const gaps = pushes.slice(1).map((at, i) => at - pushes[i]!);
  t.deepEqual(
    gaps,
    [...gaps].sort((a, b) => a - b),
  );
  debounce.take();
  debounce.changed(now + 1000);
  t.is(debounce.dueAt, now + 1005);
});

test('a change is never left waiting for more than 10 s', (t) => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 200 }), (gaps) => {
      const debounce = new Debounce();
      let now = 0;
      let first: number | undefined;
      for (const gap of gaps) {
        now += gap;
        if (debounce.dueAt !== undefined && debounce.dueAt <= now) {
          debounce.take();
          first = undefined;
        }
        first ??= now;
        debounce.changed(now);
        t.true(debounce.dueAt! - first <= 10_000 && debounce.dueAt! > now - 1);
      }
    }),
  );
});
