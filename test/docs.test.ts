import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execute } from '@flotilla/testkit';
import test from 'ava';

// The documents say what is so: their links lead somewhere, their files exist, their commands and flags are known.
const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const cli = join(root, 'packages', 'cli', 'bin', 'flotilla.js');
const packages = readdirSync(join(root, 'packages')).map((name) => join('packages', name, 'README.md'));
const documents = ['README.md', 'docs/architecture.md', ...packages].filter((file) => existsSync(join(root, file)));
const textOf = (file: string): string => readFileSync(join(root, file), 'utf8');
/** The README's shell commands, without comments. */
const commands = [...textOf('README.md').matchAll(/```sh\n([\s\S]*?)```/g)].flatMap((block) =>
  (block[1] ?? '')
    .split('\n')
    .map((line) => line.replace(/\s+#.*$/, '').trim())
    .filter(Boolean),
);

test('every relative link leads to a file', (t) => {
  const dead = documents.flatMap((file) =>
    [...textOf(file).matchAll(/\]\((?!https?:|#)([^)#]+)/g)]
      .map((match) => match[1] ?? '')
      .filter((link) => !existsSync(resolve(root, dirname(file), link)))
      .map((link) => `${file}: ${link}`),
  );
  t.deepEqual(dead, []);
});

test('every manifest the README applies exists, and every shipped one is in it', (t) => {
  const applied = new Set(commands.flatMap((line) => line.match(/docs\/examples\/\S+\.yaml/g) ?? []));
  for (const file of applied) t.true(existsSync(join(root, file)), file);
  const shipped = readdirSync(join(root, 'docs', 'examples', 'bookinfo')).map((f) => `docs/examples/bookinfo/${f}`);
  t.deepEqual([...applied].sort(), shipped.sort());
});

test('every npm script the README names exists', (t) => {
  const { scripts } = JSON.parse(textOf('package.json')) as { scripts: Record<string, string> };
  const named = [...textOf('README.md').matchAll(/npm (?:run )?([a-z]+)/g)].map((match) => match[1] ?? '');
  const builtin = new Set(['ci', 'run']);
  t.deepEqual(
    named.filter((name) => !builtin.has(name) && !(name in scripts)),
    [],
  );
});

test('every flotilla command and flag the README shows is known to it', async (t) => {
  const shown = commands
    .filter((line) => line.includes('npx flotilla '))
    .map((line) => line.split('npx flotilla ')[1] ?? '');
  t.true(shown.length >= 5);
  for (const line of shown) {
    const words = line.split(/\s+/);
    const subcommand = words[0] === 'image' ? words.slice(0, 2) : words.slice(0, 1);
    const help = await execute(process.execPath, [cli, ...subcommand, '--help']);
    t.is(help.code, 0, line);
    for (const flag of words.filter((word) => word.startsWith('--')))
      t.true(help.stdout.includes(flag), `${line}: ${flag}`);
  }
});
