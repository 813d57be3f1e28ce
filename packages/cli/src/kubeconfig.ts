import { existsSync, mkdirSync, readFileSync, realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { describeError } from '@flotilla/base';
import { writeAtomically } from './cluster.js';
import { UserError } from './errors.js';

export interface KubeconfigEntry {
  /** Name of context, cluster and user. */
  name: string;
  server: string;
  /** PEM texts. */
  ca: string;
  clientCert: string;
  clientKey: string;
}

interface Named {
  name: string;
  [key: string]: unknown;
}

interface Kubeconfig {
  apiVersion?: string;
  kind?: string;
  clusters?: Named[] | null;
  users?: Named[] | null;
  contexts?: Named[] | null;
  'current-context'?: string;
  [key: string]: unknown;
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** The cluster's own kubeconfig. */
export function renderKubeconfig(entry: KubeconfigEntry): string {
  return `apiVersion: v1
kind: Config
current-context: ${entry.name}
clusters:
- name: ${entry.name}
  cluster:
    server: ${entry.server}
    certificate-authority-data: ${base64(entry.ca)}
users:
- name: ${entry.name}
  user:
    client-certificate-data: ${base64(entry.clientCert)}
    client-key-data: ${base64(entry.clientKey)}
contexts:
- name: ${entry.name}
  context:
    cluster: ${entry.name}
    user: ${entry.name}
`;
}

/** The file that kubectl would write to: the first of KUBECONFIG's that exists, else its first, else ~/.kube/config. */
export function userKubeconfig(env: NodeJS.ProcessEnv = process.env): string {
  const listed = (env.KUBECONFIG ?? '')
    .split(delimiter)
    .filter(Boolean)
    .map((path) => resolve(path));
  return listed.find((path) => existsSync(path)) ?? listed[0] ?? join(homedir(), '.kube', 'config');
}

const without = (list: Named[] | null | undefined, name: string): Named[] =>
  (list ?? []).filter((e) => e.name !== name);

async function readConfig(path: string): Promise<Kubeconfig> {
  if (!existsSync(path)) return { apiVersion: 'v1', kind: 'Config' };
  const yaml = await import('yaml');
  try {
    return (yaml.parse(readFileSync(path, 'utf8')) as Kubeconfig | null) ?? {};
  } catch (error) {
    throw new UserError(`${path} is not a kubeconfig: ${describeError(error)}`, undefined, error);
  }
}

async function writeConfig(path: string, config: Kubeconfig): Promise<void> {
  const yaml = await import('yaml');
  mkdirSync(dirname(path), { recursive: true });
  // A link (dotfile collections use them) keeps pointing where it did: its target is what changes.
  writeAtomically(existsSync(path) ? realpathSync(path) : path, yaml.stringify(config));
}

/**
 * Adds the cluster's context to the user's kubeconfig, makes it current, and leaves everything else as it is. Returns
 * the file's path, or undefined where there is nothing to merge because the file is the cluster's own.
 */
export async function mergeKubeconfig(
  entry: KubeconfigEntry,
  own: string,
  target = userKubeconfig(),
): Promise<string | undefined> {
  if (resolve(target) === resolve(own)) return undefined;
  if (!existsSync(target)) {
    mkdirSync(dirname(target), { recursive: true });
    writeAtomically(target, renderKubeconfig(entry));
    return target;
  }
  const config = await readConfig(target);
  const yaml = await import('yaml');
  const added = yaml.parse(renderKubeconfig(entry)) as Kubeconfig;
  for (const section of ['clusters', 'users', 'contexts'] as const) {
    config[section] = [...without(config[section], entry.name), ...(added[section] ?? [])];
  }
  config['current-context'] = entry.name;
  await writeConfig(target, config);
  return target;
}

/** Removes the cluster's context from the user's kubeconfig; true if there was one. */
export async function unmergeKubeconfig(name: string, target = userKubeconfig()): Promise<boolean> {
  if (!existsSync(target)) return false;
  const config = await readConfig(target);
  if (![config.clusters, config.users, config.contexts].some((list) => list?.some((e) => e.name === name)))
    return false;
  for (const section of ['clusters', 'users', 'contexts'] as const) config[section] = without(config[section], name);
  if (config['current-context'] === name) delete config['current-context'];
  await writeConfig(target, config);
  return true;
}
