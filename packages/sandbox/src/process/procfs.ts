import { readdir } from 'node:fs/promises';
import { type ProcessStat, readStat } from '@flotilla/host';

/** A process that cannot be mistaken for a later one with the same pid. */
export type ProcessIdentity = Pick<ProcessStat, 'pid' | 'startTicks'>;

/** True while the very process runs; a zombie, which nobody may ever reap in a container without init, does not count. */
export function isAlive(process: ProcessIdentity): boolean {
  const stat = readStat(process.pid);
  return stat !== undefined && stat.startTicks === process.startTicks && stat.state !== 'Z' && stat.state !== 'X';
}

/** True if there was such a process to signal. */
export function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    return false;
  }
}

export interface ProcessUsage {
  /** CPU seconds since the start of the processes that still run. */
  cpuSeconds: number;
  /** Resident memory in bytes. */
  memoryBytes: number;
}

/** CPU and memory of all processes of one session: what a container uses. */
export async function sessionUsage(session: number): Promise<ProcessUsage> {
  const usage: ProcessUsage = { cpuSeconds: 0, memoryBytes: 0 };
  for (const entry of await readdir('/proc')) {
    const pid = Number(entry);
    const stat = pid > 0 ? readStat(pid) : undefined;
    if (stat?.session !== session) continue;
    usage.cpuSeconds += stat.cpuTicks / 100;
    usage.memoryBytes += stat.rss;
  }
  return usage;
}
