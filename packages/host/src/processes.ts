import { readdirSync, readFileSync } from 'node:fs';
import { processTags } from './config.js';

/** The fields of /proc/<pid>/stat that we use; see proc_pid_stat(5). */
export interface ProcessStat {
  pid: number;
  /** As in /proc: `R`, `S`, `D`, `T` (stopped), `Z` (zombie) … */
  state: string;
  ppid: number;
  /** Process group. */
  pgid: number;
  session: number;
  /** CPU time used, in clock ticks (USER_HZ, 100 per second on Linux). */
  cpuTicks: number;
  /** Clock ticks since boot at which it started: with the pid, a name that is never reused. */
  startTicks: number;
  /** Resident memory, bytes. */
  rss: number;
}

/** A process of a cluster, found by the tags in its environment. */
export interface TaggedProcess extends Pick<ProcessStat, 'pid' | 'state' | 'ppid' | 'pgid' | 'startTicks' | 'rss'> {
  role: string;
  node?: string;
  /** `namespace/name`. */
  pod?: string;
  container?: string;
}

const pageSize = 4096;

/** The text of a /proc/<pid>/stat, or undefined if it is none. */
export function parseStat(line: string): ProcessStat | undefined {
  // The command name stands in parentheses and may itself hold spaces and parentheses.
  const open = line.indexOf(' (');
  const close = line.lastIndexOf(') ');
  if (open < 0 || close < 0) return undefined;
  const rest = line.slice(close + 2).split(' ');
  const at = (field: number): number => Number(rest[field - 3]);
  const stat: ProcessStat = {
    pid: Number(line.slice(0, open)),
    state: rest[0] ?? '?',
    ppid: at(4),
    pgid: at(5),
    session: at(6),
    cpuTicks: at(14) + at(15),
    startTicks: at(22),
    rss: at(24) * pageSize,
  };
  return Number.isInteger(stat.pid) && Number.isInteger(stat.startTicks) ? stat : undefined;
}

/** Undefined if there is no such process. */
export function readStat(pid: number): ProcessStat | undefined {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return undefined;
  }
}

function readTags(pid: number, tag: string, value: string): Map<string, string> | undefined {
  let environ: string;
  try {
    environ = readFileSync(`/proc/${pid}/environ`, 'utf8');
  } catch {
    return undefined; // gone, or another user's
  }
  if (!environ.includes(`${tag}=${value}`)) return undefined;
  const tags = new Map<string, string>();
  for (const entry of environ.split('\0')) {
    if (!entry.startsWith('FLOTILLA_')) continue;
    const at = entry.indexOf('=');
    tags.set(entry.slice(0, at), entry.slice(at + 1));
  }
  return tags.get(tag) === value ? tags : undefined;
}

/**
 * Every living process whose environment has the tag with the value: by default that of the cluster in directory
 * `value`, otherwise another one that starts with `FLOTILLA_`. Zombies are left out. Costs a few milliseconds: it reads
 * the environment of each process of this user.
 */
export function findTagged(value: string, tag: string = processTags.cluster): TaggedProcess[] {
  const found: TaggedProcess[] = [];
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const tags = readTags(pid, tag, value);
    const stat = tags && readStat(pid);
    if (!tags || !stat || stat.state === 'Z') continue;
    const { state, ppid, pgid, startTicks, rss } = stat;
    const optional = (key: string): string | undefined => tags.get(key);
    found.push({
      pid,
      state,
      ppid,
      pgid,
      startTicks,
      rss,
      role: optional(processTags.role) ?? 'container',
      node: optional(processTags.node),
      pod: optional(processTags.pod),
      container: optional(processTags.container),
    });
  }
  return found;
}

/** Sends a signal; false if the process is gone. Throws where it is not ours to signal. */
export function signalProcess(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}
