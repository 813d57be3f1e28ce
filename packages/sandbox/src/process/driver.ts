import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, type FSWatcher, openSync, closeSync, readFileSync, statSync, watch } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { deferred, describeError, NamedError } from '@flotilla/base';
import { parseStat, type ProcessStat, readStat } from '@flotilla/host';
import { isAlive, type ProcessUsage, sendSignal, sessionUsage } from './procfs.js';

/** The program could not be started at all: no such file, not executable, no such directory. */
export class StartError extends NamedError {}

export interface ProcessSpec {
  /** An existing, empty directory that holds this one run of the container: `pid`, `exit`. */
  dir: string;
  command: readonly string[];
  env: Record<string, string>;
  cwd: string;
  /** Standard output and error are appended here, by the process itself. */
  logFile: string;
}

export interface ExitStatus {
  /** 0–255; 128 + n when signal n ended it, as a shell reports it. */
  code: number;
  /** Milliseconds since the epoch. */
  finishedAt: number;
}

/** One run of a container's program, ours or taken over from an agent that died. */
export interface ContainerProcess {
  /** Resolves once, when the main process has ended; what it left behind in its group is then being killed. */
  readonly exited: Promise<ExitStatus>;
  /** Signals the main process alone. False if it has ended. */
  signal(name: NodeJS.Signals): Promise<boolean>;
  /** SIGKILL to the whole process group. */
  kill(): void;
  usage(): Promise<ProcessUsage>;
  /** Stops looking after the process and lets it run on. */
  release(): void;
}

/** Starts programs so that they outlive the starter, and finds them again. */
export interface ProcessDriver {
  /** Throws StartError. */
  start(spec: ProcessSpec): ContainerProcess;
  /** Takes over the run recorded in `dir`: as a process, or as its exit if it has ended; undefined if it never began. */
  adopt(dir: string): ContainerProcess | ExitStatus | undefined;
}

/**
 * The program's guardian: a shell that outlives the agent and leaves behind in files what a parent would be told. `pid`
 * holds the main process's /proc stat line, so with its start time; `exit` its exit code. Signals meant for the group
 * must not end it before it has written, yet must not be ignored either, as the program would inherit that. Its own
 * standard error is closed off, or it would print "Killed" into the container's log, which is file descriptor 3 here.
 */
const guardian = `trap : HUP INT QUIT TERM USR1 USR2
( read -r stat </proc/self/stat; printf '%s\\n' "$stat" >"$0/pid"; exec "$@" 2>&3 3>&- )
echo $? >"$0/exit"`;

export const processDriver: ProcessDriver = {
  start(spec) {
    checkProgram(spec);
    const log = openSync(spec.logFile, 'a');
    try {
      const child = spawn('/bin/sh', ['-c', guardian, spec.dir, ...spec.command], {
        cwd: spec.cwd,
        env: spec.env,
        detached: true,
        stdio: ['ignore', log, 'ignore', log],
      });
      return new GuardedProcess(spec.dir, child);
    } catch (cause) {
      throw new StartError('StartError', `cannot start ${spec.command[0]}: ${describeError(cause)}`, { cause });
    } finally {
      closeSync(log);
    }
  },

  adopt(dir) {
    const exit = readExit(dir);
    if (exit) return exit;
    const identity = readIdentity(dir);
    if (!identity) return undefined;
    // Dead without an exit code: guardian and program were killed together.
    if (!isAlive(identity) && !guardianLives(identity)) return { code: 137, finishedAt: mtime(join(dir, 'pid')) };
    return new GuardedProcess(dir, undefined);
  },
};

/** Upstream's runtime refuses such programs before anything runs; a shell would only say so in the log. */
function checkProgram(spec: ProcessSpec): void {
  const name = spec.command[0];
  if (!name) throw new StartError('StartError', 'no command specified');
  try {
    if (!statSync(spec.cwd).isDirectory()) throw new StartError('StartError', `not a directory: ${spec.cwd}`);
  } catch (cause) {
    throw new StartError('StartError', `working directory ${spec.cwd}: ${describeError(cause)}`, { cause });
  }
  const candidates = name.includes('/')
    ? [resolve(spec.cwd, name)]
    : (spec.env['PATH'] ?? '').split(delimiter).map((dir) => join(dir || '.', name));
  let found = false;
  for (const file of candidates) {
    try {
      found ||= statSync(file).isFile();
      accessSync(file, constants.X_OK);
      if (statSync(file).isFile()) return;
    } catch {
      // Not this one.
    }
  }
  const why = found
    ? 'permission denied'
    : name.includes('/')
      ? 'no such file or directory'
      : 'executable file not found in $PATH';
  throw new StartError('StartError', `exec: ${JSON.stringify(name)}: ${why}`);
}

function mtime(file: string): number {
  try {
    return Math.round(statSync(file).mtimeMs);
  } catch {
    return 0;
  }
}

/** The guardian leads the group; while it lives it is about to write the exit code. */
function guardianLives(identity: { pgid: number }): boolean {
  const stat = readStat(identity.pgid);
  return stat !== undefined && stat.pgid === identity.pgid && stat.state !== 'Z' && stat.state !== 'X';
}

function readExit(dir: string): ExitStatus | undefined {
  const file = join(dir, 'exit');
  try {
    const text = readFileSync(file, 'utf8');
    return text.endsWith('\n') ? { code: Number(text), finishedAt: mtime(file) } : undefined;
  } catch {
    return undefined;
  }
}

function readIdentity(dir: string): ProcessStat | undefined {
  try {
    const text = readFileSync(join(dir, 'pid'), 'utf8');
    return text.endsWith('\n') ? parseStat(text) : undefined;
  } catch {
    return undefined;
  }
}

/** How often a taken-over process is looked at, in case its guardian died without a word. Milliseconds. */
const livenessPoll = 1000;

class GuardedProcess implements ContainerProcess {
  readonly #dir: string;
  readonly #exited = deferred<ExitStatus>();
  #group: number | undefined;
  #over = false;
  #watcher: FSWatcher | undefined;
  #poll: NodeJS.Timeout | undefined;

  constructor(dir: string, child: ChildProcess | undefined) {
    this.#dir = dir;
    this.#group = child?.pid ?? readIdentity(dir)?.pgid;
    if (child) this.#follow(child);
    else this.#watch();
  }

  get exited(): Promise<ExitStatus> {
    return this.#exited.promise;
  }

  async signal(name: NodeJS.Signals): Promise<boolean> {
    // A signal within the first milliseconds waits until the guardian has written down whom it started.
    for (let tries = 0; tries < 200 && !this.#over; tries++) {
      const identity = readIdentity(this.#dir);
      if (identity) return isAlive(identity) && sendSignal(identity.pid, name);
      await new Promise((done) => setTimeout(done, 5));
    }
    return false;
  }

  kill(): void {
    if (this.#over) return;
    const identity = readIdentity(this.#dir);
    if (this.#group !== undefined && this.#group > 1) sendSignal(-this.#group, 'SIGKILL');
    if (identity && isAlive(identity)) sendSignal(identity.pid, 'SIGKILL');
  }

  usage(): Promise<ProcessUsage> {
    return this.#group === undefined ? Promise.resolve({ cpuSeconds: 0, memoryBytes: 0 }) : sessionUsage(this.#group);
  }

  release(): void {
    this.#watcher?.close();
    clearInterval(this.#poll);
  }

  #follow(child: ChildProcess): void {
    child.on('error', () => this.#end({ code: 128, finishedAt: Date.now() }));
    child.on('exit', () => {
      const exit = readExit(this.#dir);
      const identity = readIdentity(this.#dir);
      if (exit) this.#end(exit);
      else if (identity && isAlive(identity)) this.#watch();
      else this.#end({ code: 137, finishedAt: Date.now() });
    });
    child.unref();
  }

  /** A process that is not our child tells of its end by the exit file. */
  #watch(): void {
    const look = (): void => {
      const exit = readExit(this.#dir);
      const identity = readIdentity(this.#dir);
      if (exit) this.#end(exit);
      else if (identity && (isAlive(identity) || guardianLives(identity))) return;
      else this.#end({ code: 137, finishedAt: Date.now() });
    };
    try {
      this.#watcher = watch(this.#dir, () => look());
      this.#watcher.on('error', () => undefined);
    } catch {
      // Out of inotify watches: the poll remains.
    }
    this.#poll = setInterval(look, livenessPoll);
    look();
  }

  #end(exit: ExitStatus): void {
    if (this.#over) return;
    this.#over = true;
    this.release();
    // With a container's first process all others of it end.
    if (this.#group !== undefined && this.#group > 1) sendSignal(-this.#group, 'SIGKILL');
    this.#exited.resolve(exit);
  }
}
