import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describeError, errorCode } from '@flotilla/base';
import type { NetworkConfig, Profile } from '@flotilla/host';
import { UserError } from './errors.js';
import type { ClusterPaths } from './home.js';

export interface Ports {
  api: number;
  http: number;
  https: number;
  nats: number;
  xds: number;
  xdsTls: number;
  pilotMetrics: number;
}

export const defaultPorts: Ports = {
  api: 6443,
  http: 8080,
  https: 8443,
  nats: 4222,
  xds: 15010,
  xdsTls: 15012,
  pilotMetrics: 15014,
};

/** The flag that chooses each port. */
export const portFlags: Record<keyof Ports, string> = {
  api: '--api-port',
  http: '--http-port',
  https: '--https-port',
  nats: '--nats-port',
  xds: '--xds-port',
  xdsTls: '--xds-tls-port',
  pilotMetrics: '--pilot-metrics-port',
};

/** `cluster.json`: what `up` chose once and every later `up` of the same name resumes. */
export interface ClusterFile {
  name: string;
  nodes: number;
  ports: Ports;
  profile: Profile;
  /** Which part of 127.0.0.0/8 is the cluster's, 1–62. */
  slot: number;
  /** NATS passwords by identity. */
  passwords: Record<string, string>;
}

export const nodeNames = (count: number): string[] => Array.from({ length: count }, (_, i) => `node-${i + 1}`);

export const newPassword = (): string => randomBytes(18).toString('base64url');

/** The address ranges of a slot; see docs/architecture.md. */
export function networkOf(slot: number): NetworkConfig {
  return {
    driver: 'loopback',
    podCIDR: `127.${64 + slot}.0.0/16`,
    localCIDR: `127.${128 + slot}.0.0/16`,
    serviceCIDR: `127.${192 + slot}.0.0/16`,
    clusterDomain: 'cluster.local',
  };
}

export function readClusterFile(paths: ClusterPaths): ClusterFile | undefined {
  if (!existsSync(paths.clusterFile)) return undefined;
  try {
    return JSON.parse(readFileSync(paths.clusterFile, 'utf8')) as ClusterFile;
  } catch (error) {
    throw new UserError(
      `${paths.clusterFile} cannot be read: ${describeError(error)}`,
      `repair it, or remove the cluster with its data: flotilla down --purge --name ${paths.name}`,
      error,
    );
  }
}

/** Replaces a file in one step, so that no reader ever sees half of it. */
export function writeAtomically(path: string, text: string, mode = 0o600): void {
  const draft = `${path}.${process.pid}.tmp`;
  writeFileSync(draft, text, { mode });
  renameSync(draft, path);
}

/** Makes the cluster's directories, or says why the home cannot be used. */
export function prepareDirectories(paths: ClusterPaths): void {
  const wanted = [paths.pki, paths.run, paths.logs, paths.nats, paths.volumes, paths.nodes, paths.images];
  try {
    for (const dir of wanted) mkdirSync(dir, { recursive: true, mode: 0o700 });
    writeAtomically(`${paths.run}/.writable`, '');
  } catch (error) {
    const code = errorCode(error);
    const why = code === 'EROFS' ? 'is read-only' : code === 'ENOSPC' ? 'is full' : `cannot be written (${code})`;
    throw new UserError(
      `${dirname(paths.home) === paths.home ? paths.dir : paths.home} ${why}`,
      'choose another place with FLOTILLA_HOME=/some/writable/directory',
      error,
    );
  }
}
