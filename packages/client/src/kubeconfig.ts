import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { NamedError } from '@flotilla/base';

/** How to reach an API server over HTTPS, and as whom. Certificates and keys are PEM text. */
export interface Kubeconfig {
  /** E.g. `https://127.0.0.1:6443`. */
  server: string;
  ca?: string;
  /** Name to expect in the server's certificate instead of the host's. */
  tlsServerName?: string;
  insecureSkipTlsVerify?: boolean;
  cert?: string;
  key?: string;
  token?: string;
  username?: string;
  password?: string;
  /** Of the context; for whoever lists without saying where. */
  namespace?: string;
}

export class KubeconfigError extends NamedError {
  constructor(path: string, why: string, cause?: unknown) {
    super('KubeconfigError', `${path}: ${why}`, { cause });
  }
}

/** The parts of a kubeconfig (v1 `Config`) that we read. */
interface File {
  'current-context'?: string;
  contexts?: { name?: string; context?: { cluster?: string; user?: string; namespace?: string } }[];
  clusters?: { name?: string; cluster?: Record<string, string | boolean | undefined> }[];
  users?: { name?: string; user?: Record<string, unknown> }[];
}

/** Reads a context, the current one if absent, of a kubeconfig file. Rejects with `KubeconfigError`. */
export async function loadKubeconfig(path: string, context?: string): Promise<Kubeconfig> {
  let file: File;
  try {
    const { parse } = await import('yaml');
    file = (parse(await readFile(path, 'utf8')) ?? {}) as File;
  } catch (error) {
    throw new KubeconfigError(path, 'cannot be read', error);
  }
  const name = context ?? file['current-context'];
  const chosen = file.contexts?.find((c) => c.name === name)?.context;
  if (!chosen) throw new KubeconfigError(path, name ? `has no context ${name}` : 'has no current context');
  const cluster = file.clusters?.find((c) => c.name === chosen.cluster)?.cluster;
  if (!cluster) throw new KubeconfigError(path, `has no cluster ${chosen.cluster}`);
  const user = file.users?.find((u) => u.name === chosen.user)?.user ?? {};
  for (const unsupported of ['exec', 'auth-provider']) {
    if (user[unsupported]) throw new KubeconfigError(path, `user ${chosen.user}: ${unsupported} is not supported`);
  }
  const text = (from: Record<string, unknown>, field: string): string | undefined =>
    typeof from[field] === 'string' ? from[field] : undefined;
  /** A field given as a path, relative to the kubeconfig's directory, or as `<field>-data` in base64. */
  const material = async (from: Record<string, unknown>, field: string): Promise<string | undefined> => {
    const data = text(from, `${field}-data`);
    if (data !== undefined) return Buffer.from(data, 'base64').toString();
    const source = text(from, field);
    return source === undefined ? undefined : readFile(resolve(dirname(path), source), 'utf8');
  };
  const server = text(cluster, 'server');
  if (!server) throw new KubeconfigError(path, `cluster ${chosen.cluster} has no server`);
  const tokenFile = text(user, 'tokenFile');
  return defined({
    server,
    ca: await material(cluster, 'certificate-authority'),
    tlsServerName: text(cluster, 'tls-server-name'),
    insecureSkipTlsVerify: cluster['insecure-skip-tls-verify'] === true ? true : undefined,
    cert: await material(user, 'client-certificate'),
    key: await material(user, 'client-key'),
    token: tokenFile ? (await readFile(resolve(dirname(path), tokenFile), 'utf8')).trim() : text(user, 'token'),
    username: text(user, 'username'),
    password: text(user, 'password'),
    namespace: chosen.namespace,
  });
}

function defined<V extends { server: string }>(value: V): { [K in keyof V]: Exclude<V[K], undefined> } {
  const kept = Object.entries(value).filter(([, v]) => v !== undefined);
  return Object.fromEntries(kept) as { [K in keyof V]: Exclude<V[K], undefined> };
}
