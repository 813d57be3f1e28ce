import { existsSync, readdirSync, rmSync } from 'node:fs';
import { findTagged } from '@flotilla/host';
import { clusterPaths, flotillaHome } from '../home.js';
import { unmergeKubeconfig } from '../kubeconfig.js';
import { askSupervisor } from '../supervisor/control.js';
import { killStrays } from '../supervisor/supervisor.js';

export interface DownOptions {
  name: string;
  all?: boolean;
  /** Also remove the cluster's data and its context. */
  purge?: boolean;
}

async function untilGone(clusterDir: string, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (findTagged(clusterDir).length > 0) {
    if (performance.now() > deadline) return false;
    await new Promise((next) => setTimeout(next, 20));
  }
  return true;
}

/** Stops one cluster, whatever state it is in, and says what was done. */
async function downOne(name: string, purge: boolean): Promise<string> {
  const paths = clusterPaths(name);
  const reply = await askSupervisor(paths.socket, { op: 'down' });
  // A supervisor that does not answer for long, or is gone, leaves processes: they are found by their tag.
  if (reply) await untilGone(paths.dir, 2_000);
  const strays = await killStrays(paths.dir);
  rmSync(paths.socket, { force: true });
  if (purge) {
    rmSync(paths.dir, { recursive: true, force: true });
    rmSync(paths.kubeconfig, { force: true });
    await unmergeKubeconfig(name);
  }
  const did = reply ? 'stopped' : strays > 0 ? `cleared away ${strays} left-over processes` : 'was not running';
  return `cluster "${name}": ${did}${purge ? '; its data is removed' : ''}`;
}

export async function down(options: DownOptions): Promise<void> {
  const clusters = `${flotillaHome()}/clusters`;
  const names = options.all ? (existsSync(clusters) ? readdirSync(clusters) : []) : [options.name];
  for (const name of names) console.log(await downOne(name, options.purge ?? false));
}
