import { spawn } from 'node:child_process';
import { once } from 'node:events';
import test from 'ava';
import { processTags } from './config.js';
import { findTagged, readStat } from './processes.js';

test('a process is found by its cluster’s directory, whatever letters that has', async (t) => {
  const dir = `/home/jürgen/クラスタ-${process.pid}`;
  const env = { ...process.env, [processTags.cluster]: dir, [processTags.role]: 'container', [processTags.pod]: 'a/b' };
  const child = spawn('sleep', ['60'], { env });
  t.teardown(() => child.kill('SIGKILL'));
  await once(child, 'spawn');
  const found = findTagged(dir);
  t.like(found, [{ pid: child.pid, role: 'container', pod: 'a/b' }]);
  t.is(found[0]?.startTicks, readStat(child.pid!)?.startTicks);
  t.deepEqual(findTagged(`${dir}-other`), []);
  child.kill('SIGKILL');
  await once(child, 'exit');
  t.deepEqual(findTagged(dir), []);
  t.is(readStat(child.pid!), undefined);
});
