import { spawn } from 'node:child_process';
import { mapText, sendSignal } from '@flotilla/sandbox';
import type { Launch } from './launch.js';

/** The kubelet keeps no more than this of a probe's output. */
const outputLimit = 10 * 1024;

/** Runs a command as if inside the container: its environment, directory and mounts. Never rejects. */
export function runCommand(
  launch: Launch,
  command: readonly string[],
  timeoutMs: number,
): Promise<{ code: number | undefined; output: string }> {
  const [program = '', ...args] = command.map((word) => mapText(word, launch.mounts));
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const finish = (code: number | undefined, more = ''): void => {
      clearTimeout(timer);
      resolve({ code, output: Buffer.concat(chunks).toString().slice(0, outputLimit) + more });
    };
    const child = spawn(program, args, {
      cwd: launch.cwd,
      env: launch.env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const killGroup = (): void => {
      if (child.pid !== undefined) sendSignal(-child.pid, 'SIGKILL');
    };
    const timer = setTimeout(() => {
      killGroup();
      finish(undefined);
    }, timeoutMs);
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        if (size < outputLimit) chunks.push(chunk);
        size += chunk.length;
      });
    }
    child.once('error', (error) => finish(126, `OCI runtime exec failed: exec failed: ${error.message}`));
    // Not 'close': what the command left in the background may hold the pipes open.
    child.once('exit', (code, signal) => {
      setImmediate(() => {
        killGroup();
        finish(code ?? (signal ? 137 : 0));
      });
    });
  });
}
