import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { natsAccess, natsConfig, type NatsConfigOptions } from './nats-config.js';
import { findNatsServer } from './nats-server.js';

const options = (storeDir: string): NatsConfigOptions => ({
  name: 'test "cluster"',
  host: '127.0.0.1',
  port: 4333,
  storeDir,
  passwords: { apiserver: 'a"b', controllers: 'c', scheduler: 'd', pilot: 'e', system: 'f', 'node-1': 'g' },
  version: [2, 9],
});

test('the server accepts the configuration, whatever the passwords and paths', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'flotilla nats-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  const { path } = await findNatsServer(dir);
  writeFileSync(join(dir, 'nats.conf'), natsConfig(options(join(dir, 'data'))));
  t.notThrows(() => execFileSync(path, ['-t', '-c', join(dir, 'nats.conf')], { stdio: 'pipe' }));
});

test('each identity may speak and hear only as itself', (t) => {
  const config = natsConfig(options('/data'));
  const line = (user: string): string =>
    config.slice(config.indexOf(`user: "${user}"`)).split('allow_responses')[0] ?? '';
  t.regex(line('node-1'), /publish: \{ allow: \["api.node-1.>", "stream.node-1.>", "hb.node-1"\]/);
  t.regex(line('node-1'), /subscribe: \{ allow: \["_INBOX.node-1.>", "stream.node-1.>", "node.node-1.>"\]/);
  t.notRegex(line('scheduler'), /node\./);
  t.false(config.includes('sync_interval'), '2.9 would refuse it');
  t.regex(natsConfig({ ...options('/data'), version: [2, 10] }), /sync_interval: always/);
  t.deepEqual(natsAccess(options('/data'), 'pilot'), {
    servers: ['nats://127.0.0.1:4333'],
    user: 'pilot',
    password: 'e',
  });
});
