import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';

// The house of docs/architecture.md, as a table: what each room may import. Imports only ever point down.
const cellar = { base: [], api: ['base'], xds: ['base'], traffic: ['base', 'xds'] };
const down = Object.keys(cellar);
const groundRooms = ['host', 'store', 'client', 'sandbox', 'wire'];
const ground = Object.fromEntries(groundRooms.map((room) => [room, room === 'host' ? down : [...down, 'host']]));
const firstRooms = ['apiserver', 'controllers', 'scheduler', 'node-agent', 'pilot', 'proxy'];
const first = Object.fromEntries(firstRooms.map((room) => [room, [...down, ...groundRooms]]));
const roof = {
  master: [...down, ...groundRooms, 'apiserver', 'controllers', 'scheduler'],
  images: [...down, ...groundRooms],
  chaos: [...down, ...groundRooms],
  cli: [...down, ...groundRooms, 'chaos'],
};
const rooms: Record<string, readonly string[]> = { ...cellar, ...ground, ...first, ...roof };
/** Rooms for tests only: they may import anything, and nothing but tests imports them. */
const testRooms = ['testkit'];

const root = findRoot(dirname(fileURLToPath(import.meta.url)));

function findRoot(from: string): string {
  return existsSync(join(from, 'tsconfig.json')) ? from : findRoot(dirname(from));
}

function sources(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return sources(path);
    return entry.name.endsWith('.ts') ? [path] : [];
  });
}

interface Import {
  file: string;
  specifier: string;
}

function importsOf(file: string): Import[] {
  const text = readFileSync(file, 'utf8');
  const found = text.matchAll(/(?:\bfrom\s+|\bimport\s*\(\s*|^import\s+)['"]([^'"]+)['"]/gm);
  return [...found].map((match) => ({ file: relative(root, file), specifier: match[1] ?? '' }));
}

const isTest = (file: string): boolean => file.endsWith('.test.ts') || /\/(testing|fixtures)\//.test(file);
const sourcesOf = (room: string): string[] => sources(join(root, 'packages', room, 'src'));
const roomsOnDisk = readdirSync(join(root, 'packages')).filter((name) =>
  existsSync(join(root, 'packages', name, 'src')),
);

test('every room stands in the table, and every room of the table stands', (t) => {
  t.deepEqual([...roomsOnDisk].sort(), [...Object.keys(rooms), ...testRooms].sort());
});

test('imports point down, never up or across, and only at a room’s front door', (t) => {
  const wrong: string[] = [];
  for (const room of Object.keys(rooms)) {
    for (const { file, specifier } of sourcesOf(room).flatMap(importsOf)) {
      if (!specifier.startsWith('@flotilla/')) continue;
      const [, target = '', deep] = specifier.split('/');
      if (deep !== undefined) wrong.push(`${file}: deep import ${specifier}`);
      const allowed =
        rooms[room]?.includes(target) || (isTest(file) && (testRooms.includes(target) || target in rooms));
      if (!allowed) wrong.push(`${file}: ${room} may not import ${target}`);
    }
  }
  t.deepEqual(wrong, []);
});

test('relative imports stay inside their room', (t) => {
  const wrong = roomsOnDisk.flatMap((room) =>
    sourcesOf(room)
      .flatMap(importsOf)
      .filter(({ specifier, file }) => {
        if (!specifier.startsWith('.')) return false;
        return relative(join(root, 'packages', room, 'src'), join(root, dirname(file), specifier)).startsWith('..');
      })
      .map(({ file, specifier }) => `${file}: ${specifier}`),
  );
  t.deepEqual(wrong, []);
});

test('the cellar is pure: no sockets, files, timers, process, wall clock or global randomness', (t) => {
  const impure: [RegExp, string][] = [
    [
      /from ['"](?:node:)?(?:fs|net|http|https|http2|dns|dgram|tls|child_process|os|worker_threads|timers)(?:\/[a-z]+)?['"]/,
      'a module of the machine',
    ],
    [/\bset(?:Timeout|Interval|Immediate)\s*\(/, 'a timer'],
    [/\bprocess\.(?!env\.NODE_ENV)[a-z]/, 'process'],
    [/\bDate\.now\s*\(|\bnew Date\(\s*\)|\bperformance\.now\s*\(/, 'the wall clock'],
    [/\bMath\.random\s*\(/, 'global randomness'],
  ];
  const wrong = Object.keys(cellar).flatMap((room) =>
    sourcesOf(room)
      .filter((file) => !isTest(file))
      .flatMap((file) => {
        const code = readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
        return impure.filter(([pattern]) => pattern.test(code)).map(([, what]) => `${relative(root, file)}: ${what}`);
      }),
  );
  t.deepEqual(wrong, []);
});

test('every room has a README', (t) => {
  t.deepEqual(
    roomsOnDisk.filter((room) => !existsSync(join(root, 'packages', room, 'README.md'))),
    [],
  );
});
