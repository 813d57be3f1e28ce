import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually, TestCluster } from '@flotilla/testkit';
import { testWithKubectl } from './support/kubectl.js';

// Up, Bookinfo, down, again and again (CYCLES times, three if not said): nothing is left behind.
const cycles = Number(process.env.CYCLES ?? 3);
const examples = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'docs', 'examples', 'bookinfo');
const manifest = (name: string): string => readFileSync(join(examples, `${name}.yaml`), 'utf8');

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });

testWithKubectl(`${cycles} cycles of up, Bookinfo and down leave no process, port or temporary file`, async (t) => {
  t.timeout(60_000 * cycles);
  const cluster = await TestCluster.prepare({ env: {} });
  t.teardown(() => cluster.destroy());
  const temporary = join(cluster.home, 'tmp');
  mkdirSync(temporary);
  const env = process.env.TMPDIR;
  process.env.TMPDIR = temporary;
  t.teardown(() => {
    if (env === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = env;
  });
  for (let i = 0; i < cycles; i++) {
    await cluster.up();
    await cluster.kubectl('label', 'namespace', 'default', 'istio-injection=enabled', '--overwrite');
    await cluster.apply(manifest('bookinfo'));
    await cluster.apply(manifest('gateway'));
    await eventually('the page', async () => (await cluster.fetch('/productpage')).status === 200, 60_000);
    t.is((await cluster.flotilla('down')).code, 0);
    t.deepEqual(cluster.processes(), [], `processes after cycle ${i + 1}`);
    const taken = await Promise.all(Object.values(cluster.ports).map(async (port) => !(await isFree(port)) && port));
    t.deepEqual(taken.filter(Boolean), [], `ports after cycle ${i + 1}`);
    t.deepEqual(readdirSync(temporary), [], `temporary files after cycle ${i + 1}`);
    t.false(readdirSync(join(cluster.dir, 'run')).includes('supervisor.sock'));
  }
});
