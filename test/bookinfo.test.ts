import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually, TestCluster } from '@flotilla/testkit';
import type { ExecutionContext } from 'ava';
import { testWithKubectl } from './support/kubectl.js';

// The README's walk, as a test: Bookinfo through gateway and sidecars, its routing rules, and a node that dies.
const examples = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'docs', 'examples', 'bookinfo');
const manifest = (name: string): string => readFileSync(join(examples, `${name}.yaml`), 'utf8');

const stars = (page: string): 'none' | 'black' | 'red' | 'error' => {
  if (page.includes('Error fetching product reviews!')) return 'error';
  if (page.includes('color="red"')) return 'red';
  return page.includes('color="black"') ? 'black' : 'none';
};

async function page(cluster: TestCluster, cookie?: string): Promise<string> {
  const response = await cluster.fetch('/productpage', cookie ? { headers: { cookie } } : {});
  if (response.status !== 200) throw new Error(`status ${response.status}: ${await response.text()}`);
  return response.text();
}

async function login(cluster: TestCluster, user: string): Promise<string> {
  const body = new URLSearchParams({ username: user, passwd: '' });
  const response = await cluster.fetch('/login', { method: 'POST', body, redirect: 'manual' });
  return (response.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
}

/** What `count` requests in a row see. */
async function seen(cluster: TestCluster, count: number, cookie?: string): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (let i = 0; i < count; i++) {
    const kind = stars(await page(cluster, cookie));
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

/** The rule is there once ten requests in a row see nothing but `kind`. */
const onlySees = (cluster: TestCluster, kind: string, cookie?: string): Promise<unknown> =>
  eventually(`only ${kind}`, async () => (await seen(cluster, 10, cookie))[kind] === 10);

const podsReady = async (cluster: TestCluster): Promise<boolean> => {
  const rows = (await cluster.kubectl('get', 'pods', '--no-headers')).trim().split('\n');
  return rows.length === 6 && rows.every((row) => /\s2\/2\s+Running\s/.test(row));
};

testWithKubectl(
  'Bookinfo: injected, routed, shifted, delayed, aborted; healed after a node dies',
  async (t: ExecutionContext) => {
    t.timeout(150_000);
    const cluster = await TestCluster.start();
    t.teardown(() => cluster.destroy());
    try {
      await cluster.kubectl('label', 'namespace', 'default', 'istio-injection=enabled');
      await cluster.apply(manifest('bookinfo'));
      await cluster.kubectl('rollout', 'status', 'deploy/productpage-v1', '--timeout=60s');
      await eventually('six pods 2/2 Running', () => podsReady(cluster), 30_000);
      const nodes = (await cluster.kubectl('get', 'pods', '-o', 'jsonpath={.items[*].spec.nodeName}')).split(' ');
      t.is(new Set(nodes).size, 3, 'the pods are spread over the nodes');

      await cluster.apply(manifest('gateway'));
      await eventually('the page', () => page(cluster));
      const first = await page(cluster);
      t.regex(first, /PublisherA/);
      const mixed = await seen(cluster, 12);
      t.deepEqual(Object.keys(mixed).sort(), ['black', 'none', 'red'], 'reviews v1, v2 and v3 in turn');

      await cluster.apply(manifest('destination-rules'));
      await cluster.apply(manifest('all-v1'));
      await onlySees(cluster, 'none');

      const jason = await login(cluster, 'jason');
      await cluster.apply(manifest('reviews-jason-v2'));
      await onlySees(cluster, 'black', jason);
      t.is(stars(await page(cluster)), 'none');

      await cluster.apply(manifest('ratings-jason-delay'));
      const delayed = await eventually('the delay', async () => {
        const started = performance.now();
        const kind = stars(await page(cluster, jason));
        return kind === 'error' ? performance.now() - started : undefined;
      });
      t.true(delayed > 5_900 && delayed < 8_000, `the page gives up on reviews after two tries of 3 s (${delayed} ms)`);

      await cluster.apply(manifest('ratings-jason-abort'));
      await eventually('the abort', async () =>
        (await page(cluster, jason)).includes('Ratings service is currently unavailable'),
      );
      t.false((await page(cluster)).includes('unavailable'), 'others are not concerned');

      await cluster.apply(manifest('reviews-half-v3'));
      await eventually('v1 and v3, never v2', async () => {
        const counts = await seen(cluster, 20);
        return (counts.none ?? 0) >= 3 && (counts.red ?? 0) >= 3 && !counts.black;
      });

      const killed = await cluster.flotilla('chaos', 'kill', 'node', 'node-2');
      t.is(killed.code, 0, killed.stderr);
      const started = performance.now();
      await eventually('node-2 NotReady', async () => /node-2\s+NotReady/.test(await cluster.kubectl('get', 'nodes')));
      t.log(`node-2 NotReady after ${Math.round(performance.now() - started)} ms`);
      const gone = async (): Promise<boolean> =>
        !(await cluster.kubectl('get', 'pods', '-o', 'jsonpath={.items[*].spec.nodeName}')).includes('node-2');
      await eventually('its pods replaced', async () => (await gone()) && (await podsReady(cluster)), 30_000);
      await eventually('the page again', () => page(cluster));

      t.is((await cluster.flotilla('chaos', 'heal', 'node', 'node-2')).code, 0);
      await eventually('node-2 Ready', async () => /node-2\s+Ready/.test(await cluster.kubectl('get', 'nodes')));

      t.is((await cluster.flotilla('down')).code, 0);
      t.deepEqual(cluster.processes(), [], 'nothing is left running');
    } catch (error) {
      t.log(cluster.logs());
      throw error;
    }
  },
);
