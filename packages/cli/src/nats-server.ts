import { execFile } from 'node:child_process';
import { accessSync, constants, copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { UserError } from './errors.js';

const run = promisify(execFile);

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function onPath(name: string, env: NodeJS.ProcessEnv): string | undefined {
  // Debian puts daemons where an ordinary user's PATH does not look.
  const dirs = [...(env.PATH ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/opt/homebrew/bin'];
  return dirs.map((dir) => join(dir, name)).find((path) => path.startsWith('/') && executable(path));
}

/** Downloads Debian's package and unpacks it into `cache`: needs package lists, but neither root nor an installation. */
async function fetchDebian(cache: string): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), 'flotilla-nats-'));
  try {
    await run('apt-get', ['download', '-q', 'nats-server'], { cwd: dir });
    const deb = readdirSync(dir).find((name) => name.endsWith('.deb'));
    if (!deb) throw new Error('apt-get downloaded nothing');
    await run('dpkg-deb', ['-x', deb, 'root'], { cwd: dir });
    mkdirSync(cache, { recursive: true });
    const target = join(cache, 'nats-server');
    copyFileSync(join(dir, 'root', 'usr', 'sbin', 'nats-server'), target);
    return target;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function advice(platform: NodeJS.Platform): string {
  if (platform === 'darwin') return 'install it: brew install nats-server';
  if (existsSync('/etc/debian_version')) return 'install it: sudo apt-get update && sudo apt-get install nats-server';
  if (existsSync('/etc/fedora-release')) return 'install it: sudo dnf install nats-server';
  if (existsSync('/etc/arch-release')) return 'install it: sudo pacman -S nats-server';
  if (existsSync('/etc/alpine-release')) return 'install it: sudo apk add nats-server';
  return 'install nats-server 2.9 or newer from https://nats.io/download and put it on PATH';
}

export interface NatsServer {
  path: string;
  version: readonly [number, number];
  /** Where it came from, for the progress line. */
  origin: 'PATH' | 'cache' | 'fetched';
}

async function withVersion(path: string, origin: NatsServer['origin']): Promise<NatsServer> {
  const { stdout, stderr } = await run(path, ['--version']);
  const match = /v(\d+)\.(\d+)/.exec(stdout + stderr);
  const version = [Number(match?.[1] ?? 2), Number(match?.[2] ?? 9)] as const;
  if (version[0] < 2 || (version[0] === 2 && version[1] < 9)) {
    throw new UserError(
      `${path} is version ${version.join('.')}; Flotilla needs 2.9 or newer`,
      advice(process.platform),
    );
  }
  return { path, version, origin };
}

/** Finds nats-server on PATH or in the cache, else fetches it where the system's package manager allows that. */
export async function findNatsServer(cache: string, env: NodeJS.ProcessEnv = process.env): Promise<NatsServer> {
  const chosen = env.FLOTILLA_NATS_SERVER ?? onPath('nats-server', env);
  if (chosen) return withVersion(chosen, 'PATH');
  const cached = join(cache, 'nats-server');
  if (executable(cached)) return withVersion(cached, 'cache');
  if (!existsSync('/etc/debian_version') || !onPath('apt-get', env)) {
    throw new UserError('nats-server was not found', advice(process.platform));
  }
  try {
    return await withVersion(await fetchDebian(cache), 'fetched');
  } catch (first) {
    if (process.getuid?.() !== 0) {
      throw new UserError('nats-server was not found and could not be fetched', advice(process.platform), first);
    }
  }
  try {
    // Only root may refresh the package lists, which a fresh machine or image lacks.
    await run('apt-get', ['update', '-q']);
    return await withVersion(await fetchDebian(cache), 'fetched');
  } catch (error) {
    throw new UserError('nats-server was not found and could not be fetched', advice(process.platform), error);
  }
}
