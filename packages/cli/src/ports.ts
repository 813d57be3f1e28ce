import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { errorCode } from '@flotilla/base';
import { type Ports, portFlags } from './cluster.js';
import { UserError } from './errors.js';

/** Resolves to undefined if `host:port` can be listened on, else to the error's code. */
export function tryListen(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error) => resolve(errorCode(error) ?? 'UNKNOWN'));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}

/** The inode of the socket that listens on `port`, from /proc/net/tcp{,6}. */
function listeningInode(port: number): string | undefined {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  for (const file of ['/proc/net/tcp', '/proc/net/tcp6']) {
    let table: string;
    try {
      table = readFileSync(file, 'utf8');
    } catch {
      continue;
    }
    for (const line of table.split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/);
      if (fields[1]?.endsWith(wanted) && fields[3] === '0A') return fields[9];
    }
  }
  return undefined;
}

function holdsSocket(pid: string, inode: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`) === `socket:[${inode}]`;
      } catch {
        return false;
      }
    });
  } catch {
    return false; // another user's process, or gone
  }
}

/** Who listens on a TCP port of this machine: `nginx (pid 4711)`, as far as this user may see it. */
export function portHolder(port: number): string {
  const inode = listeningInode(port);
  if (!inode) return 'another process';
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid) || !holdsSocket(pid, inode)) continue;
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').filter(Boolean).slice(0, 3).join(' ');
    return `${command || 'a process'} (pid ${pid})`;
  }
  return "another user's process";
}

/** Checks every port of a cluster; throws one error that names each taken one, who holds it, and the way out. */
export async function checkPorts(host: string, ports: Ports): Promise<void> {
  const names = Object.keys(ports) as (keyof Ports)[];
  const results = await Promise.all(names.map(async (name) => ({ name, code: await tryListen(host, ports[name]) })));
  const problems = results.filter((r) => r.code !== undefined);
  if (problems.length === 0) return;
  const sentences = problems.map(({ name, code }) => {
    const port = ports[name];
    if (code === 'EADDRINUSE') return `port ${port} is taken by ${portHolder(port)}`;
    if (code === 'EACCES') return `port ${port} needs privileges`;
    return `port ${port} cannot be used (${code})`;
  });
  const flags = problems.map(({ name }) => `${portFlags[name]} ${ports[name] + 1}`).join(' ');
  throw new UserError(sentences.join('; '), `stop that process, or choose other ports: flotilla up ${flags}`);
}
