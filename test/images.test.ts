import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, TestCluster } from '@flotilla/testkit';
import test from 'ava';

// A user's own programs under image names of their own.
test('a registered directory runs as an image: its main program, its files, its own command', async (t) => {
  t.timeout(90_000);
  const cluster = await TestCluster.start({ nodes: 1 });
  t.teardown(() => cluster.destroy());
  const dir = join(cluster.home, 'shop');
  mkdirSync(dir);
  writeFileSync(join(dir, 'package.json'), JSON.stringify({ main: 'serve.js' }));
  writeFileSync(
    join(dir, 'serve.js'),
    `console.log('serving ' + require('./stock.json').name); setInterval(() => {}, 1000);`,
  );
  writeFileSync(join(dir, 'stock.json'), JSON.stringify({ name: 'apples' }));
  writeFileSync(join(dir, 'other.js'), `console.log('other ' + require('node:fs').readFileSync('stock.json'));`);
  const added = await cluster.flotilla('image', 'add', 'shop/cart:v1', dir);
  t.is(added.code, 0, added.stderr);
  const manifest = join(cluster.home, 'pods.yaml');
  const pod = (name: string, command = ''): string =>
    `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}}\nspec:\n  restartPolicy: Never\n  containers:\n  - {name: main, image: "shop/cart:v1"${command}}\n`;
  writeFileSync(manifest, `${pod('main')}---\n${pod('own', ', command: [node, other.js]')}`);
  t.is((await cluster.flotilla('apply', '-f', manifest)).code, 0);
  const logOf = (name: string, text: string): Promise<unknown> =>
    eventually(`${name} says ${text}`, async () => (await cluster.flotilla('logs', name)).stdout.includes(text));
  await logOf('main', 'serving apples');
  await logOf('own', 'other {"name":"apples"}');
  t.is((await cluster.flotilla('image', 'remove', 'shop/cart:v1')).code, 0);
});
