import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { type Payload, writeAtomic } from './atomic.js';
import { mapPath, mapText, orderMappings, staysInPlace } from './mapping.js';
import { configMapEntries, keyedPayload, mergePayloads, secretEntries } from './payload.js';

function scratch(t: ExecutionContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'flotilla-volumes-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

const payload = (files: Record<string, string>, mode = 0o644): Payload =>
  new Map(Object.entries(files).map(([path, text]) => [path, { data: Buffer.from(text), mode }]));

test('files appear, change and go in one step', (t) => {
  const dir = join(scratch(t), 'config');
  t.true(writeAtomic(dir, payload({ a: '1', 'sub/b': '2' }), 0));
  t.is(readFileSync(join(dir, 'a'), 'utf8'), '1');
  t.is(readFileSync(join(dir, 'sub/b'), 'utf8'), '2');
  t.is(readlinkSync(join(dir, 'a')), '..data/a');
  const first = readlinkSync(join(dir, '..data'));
  t.false(writeAtomic(dir, payload({ a: '1', 'sub/b': '2' }), 1));
  t.is(readlinkSync(join(dir, '..data')), first);
  t.true(writeAtomic(dir, payload({ a: '3', c: '4' }), 1));
  t.is(readFileSync(join(dir, 'a'), 'utf8'), '3');
  t.false(existsSync(join(dir, 'sub')));
  t.deepEqual(
    readdirSync(dir)
      .filter((name) => !name.startsWith('..'))
      .sort(),
    ['a', 'c'],
  );
  t.false(existsSync(join(dir, first)));
  t.true(writeAtomic(dir, payload({ a: '3', c: '4' }, 0o400), 1));
  t.is(statSync(join(dir, 'a')).mode & 0o777, 0o400);
});

test('keys become files; a missing one is a problem unless optional', (t) => {
  const entries = configMapEntries({ data: { a: 'x' }, binaryData: { b: Buffer.from([0, 1]).toString('base64') } });
  const all = keyedPayload(entries, { defaultMode: 0o644, optional: false }) as Payload;
  t.deepEqual([...all.keys()], ['a', 'b']);
  t.deepEqual(Buffer.from(all.get('b')!.data), Buffer.from([0, 1]));
  const items = [{ key: 'a', path: 'dir/file', mode: 0o600 }];
  t.deepEqual(
    keyedPayload(entries, { items, defaultMode: 0o644, optional: false }),
    new Map([['dir/file', { data: Buffer.from('x'), mode: 0o600 }]]),
  );
  const missing = [{ key: 'z', path: 'z' }];
  t.deepEqual(keyedPayload(entries, { items: missing, defaultMode: 0, optional: false }), {
    problem: 'references non-existent config key: z',
  });
  t.deepEqual(keyedPayload(entries, { items: missing, defaultMode: 0, optional: true }), new Map());
  t.is(Buffer.from(secretEntries({ data: { p: 'cGFzcw==' } }).get('p')!).toString(), 'pass');
  t.is(mergePayloads([payload({ a: '1' }), payload({ a: '2', b: '3' })]).size, 2);
});

const mappings = orderMappings([
  { path: '/data', dir: '/real/d' },
  { path: '/data/inner/', dir: '/real/i' },
  { path: '/etc/config', dir: '/real/c' },
  { path: '/', dir: '/never' },
]);

test('paths map at their boundaries, the inner mount first', (t) => {
  t.is(mapPath('/data', mappings), '/real/d');
  t.is(mapPath('/data/x', mappings), '/real/d/x');
  t.is(mapPath('/data/inner/y', mappings), '/real/i/y');
  t.is(mapPath('/database', mappings), '/database');
  t.is(mapPath('/etc', mappings), '/etc');
  t.is(mapPath('relative/data', mappings), 'relative/data');
});

for (const [from, to] of [
  ['cat /data/x', 'cat /real/d/x'],
  ['--dir=/data', '--dir=/real/d'],
  ['echo a >/data/log; ls "/data"', 'echo a >/real/d/log; ls "/real/d"'],
  ['/database /var/data x/data', '/database /var/data x/data'],
  ['PATH=/bin:/data/bin', 'PATH=/bin:/real/d/bin'],
  ['/data/inner/a,/etc/config/b', '/real/i/a,/real/c/b'],
  ['http://host/data/x', 'http://host/data/x'],
  ['file:///data/x', 'file:///data/x'],
  ['[ -f /etc/config ] && . /etc/config/env', '[ -f /real/c ] && . /real/c/env'],
  ['', ''],
] as const) {
  test(`text maps: ${from}`, (t) => t.is(mapText(from, mappings), to));
}

test('mapping a mapped text changes nothing', (t) => {
  const word = fc.constantFrom('/data', '/data/x', 'a', '=', ' ', ':', '/etc/config/k', '/database', '"');
  fc.assert(
    fc.property(fc.array(word), (words) => {
      const once = mapText(words.join(''), mappings);
      return mapText(once, mappings) === once;
    }),
  );
  t.pass();
});

test('what must stay in place does, although a mount lies above it', (t) => {
  const mappings = orderMappings([{ path: '/tmp', dir: '/pods/1/tmp' }, staysInPlace('/tmp/home')]);
  t.is(mapPath('/tmp/home/clusters/x', mappings), '/tmp/home/clusters/x');
  t.is(mapPath('/tmp/homely', mappings), '/pods/1/tmp/homely');
  t.is(mapText('cat /tmp/home/a /tmp/b', mappings), 'cat /tmp/home/a /pods/1/tmp/b');
});
