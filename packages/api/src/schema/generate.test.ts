import { cpSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';

interface Generator {
  generate(options: { root: string; quiet: boolean }): Promise<void>;
}

const here = fileURLToPath(new URL('../../../../', import.meta.url));
const { generate } = (await import(join(here, 'packages/api/generate.mjs'))) as Generator;

/** A copy of what generate() reads. */
function copyOfInputs(): string {
  const root = mkdtempSync(join(tmpdir(), 'flotilla-generate-'));
  cpSync(join(here, 'proto'), join(root, 'proto'), { recursive: true });
  return root;
}

test('generates once per change of the declarations', async (t) => {
  const root = copyOfInputs();
  t.teardown(() => rmSync(root, { recursive: true }));
  const tables = join(root, 'packages/api/src/gen/tables.ts');
  await generate({ root, quiet: true });
  const first = statSync(tables).mtimeMs;
  await generate({ root, quiet: true });
  t.is(statSync(tables).mtimeMs, first);

  const lease = join(root, 'proto/kubernetes/coordination-v1.proto');
  writeFileSync(lease, readFileSync(lease, 'utf8').replace('message Lease {', 'message Lease {\n  string extra = 99;'));
  await generate({ root, quiet: true });
  t.regex(readFileSync(tables, 'utf8'), /"coordination\.Lease": "[^"]*extra 99 string/);
});

test('a reference to what is not declared fails the build, by name', async (t) => {
  const root = copyOfInputs();
  t.teardown(() => rmSync(root, { recursive: true }));
  const lease = join(root, 'proto/kubernetes/coordination-v1.proto');
  writeFileSync(lease, readFileSync(lease, 'utf8').replace('LeaseSpec spec', 'LeaseSpek spec'));
  await t.throwsAsync(generate({ root, quiet: true }), {
    message: /coordination-v1\.proto: Lease refers to LeaseSpek/,
  });
});
