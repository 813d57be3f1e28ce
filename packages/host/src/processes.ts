import { readdirSync, readFileSync } from 'node:fs';
import { processTags } from './config.js';

/** A process of a cluster, found by the tags in its environment. */
export interface TaggedProcess {
  pid: number;
  ppid: number;
  /** Process group. */
  pgid: number;
  role: string;
  node?: string;
  /** `namespace/name`. */
  pod?: string;
  container?: string;
  /** Clock ticks since boot at which it started: with the pid, a name that is never reused. */
  startTicks: number;
  /** As in /proc: `R`, `S`, `D`, `T` (stopped), `Z` (zombie) … */
  state: string;
  /** Resident memory, bytes. */
  rss: number;
}

const pageSize = 4096;

/** The fields of /proc/<pid>/stat that we use, or undefined if there is no such process. See proc(5). */
export function readStat(
  pid: number,
): { ppid: number; pgid: number; state: string; startTicks: number; rss: number } | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // The command name may hold spaces and parentheses: everything counts from the last one.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return {
    state: fields[0] ?? '?',
    ppid: Number(fields[1]),
    pgid: Number(fields[2]),
    startTicks: Number(fields[19]),
    rss: Number(fields[21]) * pageSize,
  };
}

function readTags(pid: number, clusterMark: string): Map<string, string> | undefined {
  let environ: string;
  try {
    environ = readFileSync(`/proc/${pid}/environ`, 'latin1');
  } catch {
    return undefined; // gone, or another user's
  }
  if (!environ.includes(clusterMark)) return undefined;
  const tags = new Map<string, string>();
  for (const entry of environ.split('\0')) {
    if (!entry.startsWith('FLOTILLA_')) continue;
    const at = entry.indexOf('=');
    tags.set(entry.slice(0, at), entry.slice(at + 1));
  }
  return `${processTags.cluster}=${tags.get(processTags.cluster)}` === clusterMark ? tags : undefined;
}

/**
 * Every living process that carries the tag of the cluster in `clusterDir`, zombies left out. Costs a few milliseconds:
 * it reads the environment of each process of this user.
 */
export function findTagged(clusterDir: string): TaggedProcess[] {
  const mark = `${processTags.cluster}=${clusterDir}`;
  const found: TaggedProcess[] = [];
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const tags = readTags(pid, mark);
    const stat = tags && readStat(pid);
    if (!tags || !stat || stat.state === 'Z') continue;
    const optional = (key: string): string | undefined => tags.get(key);
    found.push({
      pid,
      ...stat,
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
