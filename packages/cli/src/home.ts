import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

export const defaultName = 'flotilla';

/** Where a cluster keeps its things; see docs/architecture.md for the tree. */
export interface ClusterPaths {
  home: string;
  name: string;
  dir: string;
  clusterFile: string;
  pki: string;
  run: string;
  logs: string;
  nats: string;
  volumes: string;
  nodes: string;
  kubeconfig: string;
  socket: string;
  pidFile: string;
  cache: string;
  images: string;
}

export function flotillaHome(env: NodeJS.ProcessEnv = process.env): string {
  return resolve(env.FLOTILLA_HOME || join(homedir(), '.flotilla'));
}

export function clusterPaths(name: string, home = flotillaHome()): ClusterPaths {
  const dir = join(home, 'clusters', name);
  return {
    home,
    name,
    dir,
    clusterFile: join(dir, 'cluster.json'),
    pki: join(dir, 'pki'),
    run: join(dir, 'run'),
    logs: join(dir, 'logs'),
    nats: join(dir, 'nats'),
    volumes: join(dir, 'volumes'),
    nodes: join(dir, 'nodes'),
    kubeconfig: name === defaultName ? join(home, 'kubeconfig') : join(dir, 'kubeconfig'),
    socket: join(dir, 'run', 'supervisor.sock'),
    pidFile: join(dir, 'run', 'supervisor.json'),
    cache: join(home, 'cache'),
    images: join(home, 'images'),
  };
}
