import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findTagged, parseStat, readStat } from '@flotilla/host';
import test, { type ExecutionContext } from 'ava';
import { type ContainerProcess, processDriver, StartError } from './driver.js';
import { isAlive } from './procfs.js';
import { StraySweeper } from './sweeper.js';

const tag = 'FLOTILLA_TEST_DRIVER';

function scratch(t: ExecutionContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'flotilla-driver-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

function spec(t: ExecutionContext, command: string[], name = 'run') {
  const dir = join(scratch(t), name);
  mkdirSync(dir, { recursive: true });
  const logFile = join(dir, 'log');
  return { dir, command, cwd: '/', logFile, env: { PATH: process.env['PATH'] ?? '', [tag]: dir } };
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 1000; i++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`never: ${what}`);
}

const reads = (file: string): string => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
};

test('exit codes and output arrive, and nothing of the guardian shows in the log', async (t) => {
  const wanted = spec(t, ['/bin/sh', '-c', 'echo out; echo err >&2; exit 3']);
  const exit = await processDriver.start(wanted).exited;
  t.is(exit.code, 3);
  t.true(Math.abs(Date.now() - exit.finishedAt) < 5000);
  t.is(reads(wanted.logFile), 'out\nerr\n');
});

test('arguments arrive as they are', async (t) => {
  const wanted = spec(t, ['/usr/bin/env', 'printf', '%s|', 'a b', '$HOME', "it's", '"', '']);
  await processDriver.start(wanted).exited;
  t.is(reads(wanted.logFile), `a b|$HOME|it's|"||`);
});

test('SIGTERM reaches the main process, however early it is sent', async (t) => {
  const wanted = spec(t, ['/bin/sh', '-c', 'exec sleep 30']);
  const container = processDriver.start(wanted);
  t.true(await container.signal('SIGTERM'));
  t.is((await container.exited).code, 143);
  t.false(await container.signal('SIGTERM'));
});

test('kill takes the whole group', async (t) => {
  const wanted = spec(t, ['/bin/sh', '-c', 'trap "" TERM; sleep 30 & sleep 30 & wait']);
  const container = processDriver.start(wanted);
  await until('children run', () => findTagged(wanted.dir, tag).length >= 3);
  container.kill();
  t.is((await container.exited).code, 137);
  await until('all are gone', () => findTagged(wanted.dir, tag).length === 0);
  t.pass();
});

test('what the main process leaves behind in its group ends with it', async (t) => {
  const wanted = spec(t, ['/bin/sh', '-c', 'sleep 30 & exit 0']);
  t.is((await processDriver.start(wanted).exited).code, 0);
  await until('all are gone', () => findTagged(wanted.dir, tag).length === 0);
  t.pass();
});

test('a process that left its group is found by its environment', async (t) => {
  const wanted = spec(t, ['/bin/sh', '-c', 'setsid sleep 30 & sleep 0.2']);
  await processDriver.start(wanted).exited;
  t.is(findTagged(wanted.dir, tag).length, 1);
  const sweeper = new StraySweeper(tag);
  await Promise.all([sweeper.kill(wanted.dir), sweeper.kill('nobody')]);
  t.is(findTagged(wanted.dir, tag).length, 0);
});

for (const [what, command, message] of [
  ['no such program', ['flotilla-no-such-program'], /executable file not found in \$PATH/],
  ['no such file', ['/no/such/file'], /no such file or directory/],
  ['not executable', [fileURLToPath(import.meta.url)], /permission denied/],
  ['nothing to run', [], /no command specified/],
] as const) {
  test(`refuses to start: ${what}`, (t) => {
    const error = t.throws(() => processDriver.start(spec(t, [...command])), { instanceOf: StartError });
    t.regex(error.message, message);
  });
}

/** A parent that starts one container and then waits to be killed. */
async function startInParent(wanted: ReturnType<typeof spec>): Promise<() => Promise<void>> {
  const module = fileURLToPath(new URL('./driver.js', import.meta.url));
  const script = `import { processDriver } from ${JSON.stringify(module)};
    processDriver.start(${JSON.stringify(wanted)}); setInterval(() => {}, 1e6);`;
  const parent = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'ignore' });
  const gone = new Promise((resolve) => parent.once('exit', resolve));
  await until('the container runs', () => reads(join(wanted.dir, 'pid')).endsWith('\n'));
  return async () => {
    parent.kill('SIGKILL');
    await gone;
  };
}

test('a container survives kill -9 of its agent and is taken over', async (t) => {
  const wanted = spec(t, ['/bin/sh', '-c', 'trap "exit 7" TERM; echo up; while :; do sleep 0.05; done']);
  await (await startInParent(wanted))();
  const adopted = processDriver.adopt(wanted.dir) as ContainerProcess;
  t.truthy(adopted.exited);
  await until('it has said so', () => reads(wanted.logFile) === 'up\n');
  t.true((await adopted.usage()).memoryBytes > 0);
  t.true(await adopted.signal('SIGTERM'));
  t.is((await adopted.exited).code, 7);
});

test('a container that ended while nobody looked tells its exit code', async (t) => {
  const wanted = spec(t, ['/bin/sh', '-c', 'exit 5']);
  await (await startInParent(wanted))();
  await until('it has ended', () => reads(join(wanted.dir, 'exit')) !== '');
  const exit = processDriver.adopt(wanted.dir);
  t.like(exit, { code: 5 });
});

test('a container that was killed with its guardian counts as killed', async (t) => {
  const wanted = spec(t, ['/bin/sh', '-c', 'sleep 30']);
  const killParent = await startInParent(wanted);
  const pid = parseStat(reads(join(wanted.dir, 'pid')))!;
  process.kill(-pid.pgid, 'SIGKILL');
  await killParent();
  const dead = (state: string | undefined): boolean => state === undefined || state === 'Z' || state === 'X';
  await until('both are dead', () => !isAlive(pid) && dead(readStat(pid.pgid)?.state));
  t.like(processDriver.adopt(wanted.dir), { code: 137 });
});

test('an adopted container that is killed from outside is noticed', async (t) => {
  const wanted = spec(t, ['/bin/sh', '-c', 'exec sleep 30']);
  await (await startInParent(wanted))();
  const adopted = processDriver.adopt(wanted.dir) as ContainerProcess;
  process.kill(parseStat(reads(join(wanted.dir, 'pid')))!.pid, 'SIGKILL');
  t.is((await adopted.exited).code, 137);
});

test('a pid that was given to another process is not mistaken for ours', (t) => {
  const dir = scratch(t);
  const mine = readFileSync(`/proc/${process.pid}/stat`, 'utf8');
  const stat = parseStat(mine)!;
  t.true(isAlive(stat));
  writeFileSync(
    join(dir, 'pid'),
    mine.replace(` ${stat.startTicks} `, ` ${stat.startTicks - 1} `).replace(/ \d+ \d+ /, ' 999998 999998 '),
  );
  t.false(isAlive({ ...stat, startTicks: stat.startTicks - 1 }));
});

test('nothing that never began can be adopted', (t) => {
  t.is(processDriver.adopt(scratch(t)), undefined);
});

test('names with spaces and parentheses do not confuse the stat line', (t) => {
  const line = '42 (a) b (c)) S 1 42 42 0 -1 4194560 1 2 3 4 10 20 0 0 20 0 1 0 777 1000 50 1 1';
  t.like(parseStat(line), { pid: 42, state: 'S', ppid: 1, pgid: 42, cpuTicks: 30, startTicks: 777, rss: 50 * 4096 });
});
