import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ManualClock } from '@flotilla/base';
import { systemClock } from '@flotilla/host';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { ContainerLog } from './container-log.js';
import { LogIndex } from './index-file.js';
import { type LogReadOptions, readLog } from './read.js';

function file(t: ExecutionContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'flotilla-logs-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return join(dir, 'log');
}

async function text(log: ContainerLog, options: LogReadOptions = {}): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of readLog(log, options)) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** A log whose lines were written at 1000, 2000 and 3000 ms. */
function threeLines(t: ExecutionContext): { log: ContainerLog; clock: ManualClock; path: string } {
  const path = file(t);
  const clock = new ManualClock(0);
  const log = ContainerLog.record(path, clock);
  t.teardown(() => log.close());
  for (const line of ['one', 'two', 'three']) {
    clock.advance(1000);
    appendFileSync(path, `${line}\n`);
    log.observe();
  }
  return { log, clock, path };
}

test('reads all, the tail, and no more than the limit', async (t) => {
  const { log } = threeLines(t);
  t.is(await text(log), 'one\ntwo\nthree\n');
  t.is(await text(log, { tailLines: 2 }), 'two\nthree\n');
  t.is(await text(log, { tailLines: 0 }), '');
  t.is(await text(log, { tailLines: 99 }), 'one\ntwo\nthree\n');
  t.is(await text(log, { limitBytes: 5 }), 'one\nt');
});

test('an unfinished last line is a line too', async (t) => {
  const { log, path } = threeLines(t);
  appendFileSync(path, 'fo');
  t.is(await text(log, { tailLines: 1 }), 'fo');
  t.is(await text(log, { tailLines: 2 }), 'three\nfo');
});

test('knows when each line was written', async (t) => {
  const { log } = threeLines(t);
  t.is(
    await text(log, { timestamps: true }),
    '1970-01-01T00:00:01.000000000Z one\n1970-01-01T00:00:02.000000000Z two\n1970-01-01T00:00:03.000000000Z three\n',
  );
  t.is(await text(log, { sinceTime: 2000 }), 'two\nthree\n');
  t.is(await text(log, { sinceTime: 2001 }), 'three\n');
  t.is(await text(log, { sinceTime: 9000 }), '');
  t.is(await text(log, { sinceTime: 2000, tailLines: 1 }), 'three\n');
});

test('times survive the recorder', async (t) => {
  const { log, path, clock } = threeLines(t);
  log.close();
  const past = ContainerLog.past(path, clock);
  t.is(await text(past, { sinceTime: 3000, timestamps: true }), '1970-01-01T00:00:03.000000000Z three\n');
  const again = ContainerLog.record(path, new ManualClock(50_000));
  t.teardown(() => again.close());
  appendFileSync(path, 'four\n');
  again.observe();
  t.is(await text(again, { sinceTime: 50_000 }), 'four\n');
});

test('follows until the program has ended', async (t) => {
  const path = file(t);
  const log = ContainerLog.record(path, systemClock);
  appendFileSync(path, 'a\n');
  const seen: string[] = [];
  const reading = (async () => {
    for await (const chunk of readLog(log, { follow: true })) {
      seen.push(Buffer.from(chunk).toString());
      if (seen.join('') === 'a\n') appendFileSync(path, 'b\n');
      if (seen.join('') === 'a\nb\n') {
        appendFileSync(path, 'c\n');
        log.close();
      }
    }
  })();
  await reading;
  t.is(seen.join(''), 'a\nb\nc\n');
});

test('following ends when it is aborted', async (t) => {
  const { log } = threeLines(t);
  const abort = new AbortController();
  const seen: string[] = [];
  for await (const chunk of readLog(log, { follow: true }, abort.signal)) {
    seen.push(Buffer.from(chunk).toString());
    setImmediate(() => abort.abort());
  }
  t.is(seen.join(''), 'one\ntwo\nthree\n');
});

test('rotation keeps the newest files, and readers lose nothing of them', async (t) => {
  const path = file(t);
  const log = ContainerLog.record(path, new ManualClock(1), { maxBytes: 10, maxFiles: 3 });
  t.teardown(() => log.close());
  for (let i = 0; i < 6; i++) {
    appendFileSync(path, `line ${i}\n`);
    log.observe();
  }
  // Two lines fill a file; the current one is empty and two older ones are kept.
  t.is(await text(log), 'line 2\nline 3\nline 4\nline 5\n');
  t.is(await text(log, { tailLines: 3 }), 'line 3\nline 4\nline 5\n');
  t.regex(await text(log, { tailLines: 1, timestamps: true }), /^1970-01-01T00:00:00.001000000Z line 5\n$/);
});

test('a follower passes over rotations without a gap', async (t) => {
  const path = file(t);
  const log = ContainerLog.record(path, systemClock, { maxBytes: 64, maxFiles: 4 });
  const expected: string[] = [];
  const write = async (): Promise<void> => {
    for (let i = 0; i < 40; i++) {
      expected.push(`line ${i}\n`);
      appendFileSync(path, `line ${i}\n`);
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
    log.close();
  };
  const writing = write();
  let seen = '';
  for await (const chunk of readLog(log, { follow: true })) seen += Buffer.from(chunk).toString();
  await writing;
  t.is(seen, expected.join(''));
});

test('a missing log is empty', async (t) => {
  t.is(await text(ContainerLog.past(file(t), systemClock)), '');
});

test('the index finds for every byte the time at which it was seen', (t) => {
  const steps = fc.array(fc.tuple(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 0, max: 100 })), { minLength: 1 });
  fc.assert(
    fc.property(steps, (list) => {
      const path = file(t);
      const index = LogIndex.open(path, 'append');
      const times: number[] = [];
      let now = 0;
      for (const [size, wait] of list) {
        now += wait;
        index.observe(times.length + size, now);
        times.push(...Array<number>(size).fill(now));
      }
      index.close();
      const read = LogIndex.open(path, 'readonly');
      const right = times.every((time, offset) => read.timeAt(offset) === time);
      const since = times.findIndex((time) => time >= now);
      return right && read.timeAt(times.length) === undefined && read.offsetSince(now) === since;
    }),
    { numRuns: 50 },
  );
  t.pass();
});

test('tail agrees with the obvious', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.stringMatching(/^[ab\n]{0,40}$/), fc.integer({ min: 0, max: 12 }), async (content, lines) => {
      const path = file(t);
      writeFileSync(path, content);
      const parts = content.match(/[^\n]*\n|[^\n]+$/g) ?? [];
      const expected = lines === 0 ? '' : parts.slice(-lines).join('');
      return (await text(ContainerLog.past(path, systemClock), { tailLines: lines })) === expected;
    }),
    { numRuns: 100 },
  );
  t.pass();
});
