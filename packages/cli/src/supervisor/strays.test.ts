import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { processTags, readStat } from '@flotilla/host';
import test from 'ava';
import { tryListen } from '../ports.js';
import { killStrays } from './supervisor.js';

// Memory takes time to free, and is freed before the sockets: a process like this one holds its port for a while.
const holder = `const kept = Buffer.alloc(400 << 20, 1);
require('node:net').createServer().listen(0, '127.0.0.1', function () { console.log(this.address().port, kept.length); });`;

test('when strays are killed, their ports are free', async (t) => {
  const dir = `/tmp/no-such-cluster-${process.pid}`;
  for (let round = 0; round < 3; round++) {
    const child = spawn(process.execPath, ['-e', holder], {
      env: { ...process.env, [processTags.cluster]: dir, [processTags.role]: 'pilot' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.teardown(() => child.kill('SIGKILL'));
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    t.is(await killStrays(dir), 1);
    t.is(await tryListen('127.0.0.1', Number.parseInt(line.toString(), 10)), undefined);
    t.true(['Z', undefined].includes(readStat(child.pid!)?.state));
  }
});
