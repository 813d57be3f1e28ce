import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { imageSource, type ResolvedImage } from './catalogue.js';
import { commandLine, imageEnv } from './command.js';
import { parseImageName } from './name.js';

test('names are taken apart as Docker does it', (t) => {
  t.deepEqual(parseImageName('busybox'), {
    registry: 'docker.io',
    repository: 'busybox',
    tag: undefined,
    digest: undefined,
  });
  t.like(parseImageName('docker.io/library/busybox:1.36'), {
    registry: 'docker.io',
    repository: 'busybox',
    tag: '1.36',
  });
  t.like(parseImageName('localhost:5000/a/b:v1'), { registry: 'localhost:5000', repository: 'a/b', tag: 'v1' });
  t.like(parseImageName('gcr.io/p/i@sha256:' + 'a'.repeat(64)), {
    registry: 'gcr.io',
    repository: 'p/i',
    tag: undefined,
  });
  t.like(parseImageName('istio/proxyv2:1.2@sha256:' + 'b'.repeat(64)), { repository: 'istio/proxyv2', tag: '1.2' });
  for (const wrong of ['', 'UPPER', 'a//b', 'a:b:c', 'a@sha256:short', '-a', 'a b'])
    t.is(parseImageName(wrong), undefined, wrong);
});

test('images are found: the user’s own first, built-ins by their last segments', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'flotilla-images-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const catalogue = join(dir, 'catalogue.json');
  const registryDir = join(dir, 'images');
  const image = (name: string) => ({ names: [name], entrypoint: [name] });
  const images = [image('busybox'), image('istio/proxyv2'), image('proxyv2'), image('web:v2')];
  writeFileSync(catalogue, JSON.stringify({ images }));
  const source = imageSource({ catalogue, registryDir });
  const found = (name: string): string | undefined => source.resolve(name)?.id;
  t.is(found('busybox:1.36'), 'flotilla://builtin/busybox');
  t.is(found('registry.example.com/mirror/library/busybox'), 'flotilla://builtin/busybox');
  t.is(found('docker.io/istio/proxyv2:1.20'), 'flotilla://builtin/istio/proxyv2');
  t.is(found('other/proxyv2'), 'flotilla://builtin/proxyv2');
  t.is(found('web:v2'), 'flotilla://builtin/web:v2');
  t.is(found('web:v1'), undefined);
  t.is(found('notbusybox'), undefined);
  t.is(found('mine:1.0'), undefined);
  mkdirSync(join(registryDir, 'mine-1.0'), { recursive: true });
  writeFileSync(
    join(registryDir, 'mine-1.0', 'image.json'),
    JSON.stringify({ names: ['mine:1.0', 'busybox:9'], entrypoint: ['x'] }),
  );
  t.is(found('mine:1.0'), 'flotilla://local/mine:1.0');
  t.is(found('docker.io/library/mine:1.0'), 'flotilla://local/mine:1.0');
  t.is(found('example.com/mine:1.0'), undefined);
  t.is(found('busybox:9'), 'flotilla://local/mine:1.0');
  t.is(found('busybox:1'), 'flotilla://builtin/busybox');
  writeFileSync(join(registryDir, 'mine-1.0', 'image.json'), 'broken');
  t.is(found('mine:1.0'), undefined);
});

test('command and args override entrypoint and cmd as in Kubernetes', (t) => {
  const image: ResolvedImage = {
    names: ['x'],
    entrypoint: ['${node}', '${image}/main.js'],
    cmd: ['--serve'],
    env: { HOME_DIR: '${image}' },
    dir: '/images/x',
    id: 'x',
  };
  const line = (container: { command?: string[]; args?: string[] }): string[] =>
    commandLine(image, container, '/bin/node');
  t.deepEqual(line({}), ['/bin/node', '/images/x/main.js', '--serve']);
  t.deepEqual(line({ args: ['a'] }), ['/bin/node', '/images/x/main.js', 'a']);
  t.deepEqual(line({ command: ['sh'] }), ['sh']);
  t.deepEqual(line({ command: ['sh'], args: ['-c', 'x'] }), ['sh', '-c', 'x']);
  t.deepEqual(imageEnv(image, '/bin/node'), { HOME_DIR: '/images/x' });
});
