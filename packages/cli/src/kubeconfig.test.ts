import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync, lstatSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { parse } from 'yaml';
import {
  type KubeconfigEntry,
  mergeKubeconfig,
  renderKubeconfig,
  unmergeKubeconfig,
  userKubeconfig,
} from './kubeconfig.js';

const entry: KubeconfigEntry = {
  name: 'flotilla',
  server: 'https://127.0.0.1:6443',
  ca: 'ca pem',
  clientCert: 'certificate pem',
  clientKey: 'key pem',
};

function directory(t: { teardown(fn: () => void): void }): string {
  const dir = mkdtempSync(join(tmpdir(), 'flotilla-kubeconfig-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  return dir;
}

const read = (path: string) =>
  parse(readFileSync(path, 'utf8')) as Record<string, { name: string }[]> & { 'current-context'?: string };

const other = `apiVersion: v1
kind: Config
current-context: prod
clusters: [{name: prod, cluster: {server: "https://prod"}}, {name: flotilla, cluster: {server: "https://old"}}]
contexts: [{name: prod, context: {cluster: prod, user: prod}}]
users: [{name: prod, user: {token: secret}}]
preferences: {colors: true}
`;

test('merging keeps what is there, replaces what is ours, and makes it current', async (t) => {
  const dir = directory(t);
  const target = join(dir, 'config');
  writeFileSync(target, other);
  t.is(await mergeKubeconfig(entry, join(dir, 'own'), target), target);
  const merged = read(target);
  t.deepEqual(
    merged.clusters?.map((c) => c.name),
    ['prod', 'flotilla'],
  );
  t.like(merged.clusters?.[1], { cluster: { server: entry.server } });
  t.like(merged.users?.[0], { user: { token: 'secret' } });
  t.like(merged, { preferences: { colors: true }, 'current-context': 'flotilla' });
  t.true(await unmergeKubeconfig('flotilla', target));
  t.deepEqual(
    read(target).clusters?.map((c) => c.name),
    ['prod'],
  );
  t.is(read(target)['current-context'], undefined);
  t.false(await unmergeKubeconfig('flotilla', target));
});

test('a file that is a link stays one', async (t) => {
  const dir = directory(t);
  writeFileSync(join(dir, 'real'), other);
  symlinkSync(join(dir, 'real'), join(dir, 'link'));
  await mergeKubeconfig(entry, join(dir, 'own'), join(dir, 'link'));
  t.true(lstatSync(join(dir, 'link')).isSymbolicLink());
  t.is(read(join(dir, 'real'))['current-context'], 'flotilla');
});

test('the own file is never merged into itself; a missing one is made', async (t) => {
  const dir = directory(t);
  const own = join(dir, 'own');
  t.is(await mergeKubeconfig(entry, own, own), undefined);
  const fresh = join(dir, 'new', 'config');
  t.is(await mergeKubeconfig(entry, own, fresh), fresh);
  t.is(readFileSync(fresh, 'utf8'), renderKubeconfig(entry));
});

test('a broken file is named and left alone', async (t) => {
  const dir = directory(t);
  const target = join(dir, 'config');
  writeFileSync(target, 'a: [b');
  await t.throwsAsync(mergeKubeconfig(entry, join(dir, 'own'), target), { message: /config is not a kubeconfig/ });
  t.is(readFileSync(target, 'utf8'), 'a: [b');
});

test("KUBECONFIG's first existing file is the user's", (t) => {
  const dir = directory(t);
  writeFileSync(join(dir, 'b'), '');
  t.is(userKubeconfig({ KUBECONFIG: `${dir}/a:${dir}/b` }), join(dir, 'b'));
  t.is(userKubeconfig({ KUBECONFIG: `${dir}/a:${dir}/c` }), join(dir, 'a'));
  t.regex(userKubeconfig({}), /\.kube\/config$/);
});
