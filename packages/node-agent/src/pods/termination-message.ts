import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { core } from '@flotilla/api';

export const defaultTerminationLog = '/dev/termination-log';

/** The file that stands for the container's termination log. */
export function terminationLog(runDir: string): string {
  return join(runDir, 'termination-log');
}

/** At most 4096 bytes that the program left in its file, or on failure, if it wants so, the end of its log. */
export function terminationMessage(runDir: string, container: core.Container, code: number): string {
  const own = readPart(terminationLog(runDir), 4096, 'start');
  if (own || code === 0 || container.terminationMessagePolicy !== 'FallbackToLogsOnError') return own;
  return readPart(join(runDir, 'log'), 2048, 'end').split('\n').slice(-80).join('\n');
}

function readPart(file: string, limit: number, which: 'start' | 'end'): string {
  try {
    const fd = openSync(file, 'r');
    try {
      const buffer = Buffer.alloc(limit);
      const from = which === 'start' ? 0 : Math.max(0, fstatSync(fd).size - limit);
      return buffer.toString('utf8', 0, readSync(fd, buffer, 0, limit, from));
    } finally {
      closeSync(fd);
    }
  } catch {
    return '';
  }
}
