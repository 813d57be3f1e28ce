import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { prepareDirectories } from '../cluster.js';
import { UserError } from '../errors.js';
import { clusterPaths } from '../home.js';
import type { ProgressOutput } from '../progress.js';

/** What a detached supervisor sends to the command that started it. */
export type DetachedMessage = { type: 'text'; text: string } | { type: 'up' };

const detachedMark = 'FLOTILLA_DETACHED';

/** Where progress goes: to the terminal, or, detached, to the command that started us and may have left since. */
export function progressOutput(): ProgressOutput {
  const mark = process.env[detachedMark];
  if (mark === undefined || !process.send) return process.stdout;
  return {
    isTTY: mark === 'tty',
    write: (text) => process.connected && process.send?.({ type: 'text', text } satisfies DetachedMessage),
  };
}

/** Starts the cluster in a process of its own, shows its progress, and returns when it is up. */
export async function upDetached(args: string[], name: string): Promise<void> {
  const paths = clusterPaths(name);
  prepareDirectories(paths);
  const logFile = join(paths.logs, 'supervisor.log');
  const log = openSync(logFile, 'a');
  const child = spawn(process.execPath, [process.argv[1] ?? '', 'up', ...args], {
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
    env: { ...process.env, [detachedMark]: process.stdout.isTTY ? 'tty' : 'plain' },
  });
  closeSync(log);
  const up = await new Promise<boolean>((resolve) => {
    child.on('message', (message: DetachedMessage) => {
      if (message.type === 'text') process.stdout.write(message.text);
      else resolve(true);
    });
    child.once('exit', () => resolve(false));
  });
  if (!up) throw new UserError('the cluster did not start', `see ${logFile}`);
  child.disconnect();
  child.unref();
}
