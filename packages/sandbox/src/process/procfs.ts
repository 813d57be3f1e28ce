import { readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';

/** The fields of /proc/<pid>/stat that we use; see proc_pid_stat(5). */
export interface ProcStat {
  pid: number;
  /** R, S, D, T, Z, X… */
  state: string;
  ppid: number;
  pgrp: number;
  session: number;
  /** CPU time used, in clock ticks (USER_HZ, 100 per second on Linux). */
  cpuTicks: number;
  /** When the process started, clock ticks after boot: together with the pid it identifies a process. */
  startTicks: number;
  /** Resident memory in pages of 4 KiB. */
  rssPages: number;
}

/** A process that cannot be mistaken for a later one with the same pid. */
export interface ProcessIdentity {
  pid: number;
  startTicks: number;
}

export function parseStat(line: string): ProcStat | undefined {
  // The command name stands in parentheses and may itself hold spaces and parentheses.
  const open = line.indexOf(' (');
  const close = line.lastIndexOf(') ');
  if (open < 0 || close < 0) return undefined;
  const rest = line.slice(close + 2).split(' ');
  const at = (field: number): number => Number(rest[field - 3]);
  const stat: ProcStat = {
    pid: Number(line.slice(0, open)),
    state: rest[0] ?? '',
    ppid: at(4),
    pgrp: at(5),
    session: at(6),
    cpuTicks: at(14) + at(15),
    startTicks: at(22),
    rssPages: at(24),
  };
  return Number.isInteger(stat.pid) && Number.isInteger(stat.startTicks) ? stat : undefined;
}

export function readStat(pid: number): ProcStat | undefined {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return undefined;
  }
}

/** True while the very process runs; a zombie, which nobody may ever reap in a container without init, does not count. */
export function isAlive(process: ProcessIdentity): boolean {
  const stat = readStat(process.pid);
  return stat !== undefined && stat.startTicks === process.startTicks && stat.state !== 'Z' && stat.state !== 'X';
}

/** Pids of all processes whose environment holds every one of `tags`, ourselves excepted. */
export async function findTagged(tags: Record<string, string>): Promise<number[]> {
  const needles = Object.entries(tags).map(([key, value]) => Buffer.from(`\0${key}=${value}\0`));
  const pids = (await readdir('/proc')).map(Number).filter((pid) => pid > 0 && pid !== process.pid);
  const found: number[] = [];
  const look = async (pid: number): Promise<void> => {
    try {
      const environ = Buffer.concat([Buffer.of(0), await readFile(`/proc/${pid}/environ`), Buffer.of(0)]);
      if (needles.every((needle) => environ.includes(needle))) found.push(pid);
    } catch {
      // Gone meanwhile, or another user's: not ours either way.
    }
  };
  for (let i = 0; i < pids.length; i += 32) await Promise.all(pids.slice(i, i + 32).map(look));
  return found;
}

/** Sends SIGKILL to every process that carries the tags, until a scan finds none. */
export async function killTagged(tags: Record<string, string>): Promise<void> {
  for (let round = 0; round < 10; round++) {
    const pids = (await findTagged(tags)).filter((pid) => readStat(pid)?.state !== 'Z');
    if (pids.length === 0) return;
    for (const pid of pids) sendSignal(pid, 'SIGKILL');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
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
    usage.memoryBytes += stat.rssPages * 4096;
  }
  return usage;
}
