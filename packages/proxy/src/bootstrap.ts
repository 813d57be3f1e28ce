import { readFileSync } from 'node:fs';
import { type LogLevel, processTags } from '@flotilla/host';
import type { JsonObject, JsonValue, Node } from '@flotilla/xds';

/** Everything the proxy is told at start. Times are milliseconds. */
export interface Bootstrap {
  type: 'sidecar' | 'router';
  node: Node;
  pod: string;
  namespace: string;
  workload: string;
  labels: Readonly<Record<string, string>>;
  /** The pod's address: source of every upstream connection, and where `0.0.0.0` listeners are bound. */
  podIP: string;
  /** Loopback network: the pod's private twin, and where its programs tell which ports they listen on. */
  loopback: { localIP: string; captureDir: string | undefined } | undefined;
  /** DNS server for clusters that are found by name, `ip:port`. */
  dns: string | undefined;
  pilot: { host: string; port: number };
  logLevel: LogLevel;
  /** How long a stopping proxy waits for connections to end. */
  drain: number;
  ports: { admin: number; merged: number; health: number; prometheus: number };
  /** The application's own metrics, merged at 15020; from the pod's `prometheus.io/*` annotations. */
  appMetrics: { port: number; path: string } | undefined;
}

type Env = Readonly<Record<string, string | undefined>>;

/**
 * Reads Istio's conventions: arguments `proxy sidecar|router --domain …`, the environment that injection gives (POD_NAME,
 * INSTANCE_IP, PROXY_CONFIG, ISTIO_META_*, ISTIO_METAJSON_*), and the loopback network's FLOTILLA_*.
 */
export function readBootstrap(args: readonly string[], env: Env): Bootstrap {
  const flags = parseFlags(args);
  const type = flags.positional.includes('router') ? 'router' : 'sidecar';
  const namespace = env.POD_NAMESPACE || 'default';
  const [tagNamespace, tagName] = (env[processTags.pod] ?? '').split('/');
  const pod = env.POD_NAME || tagName || 'unknown';
  const podIP = env.FLOTILLA_POD_IP || env.INSTANCE_IP || '127.0.0.1';
  const domain = flags.named.domain || `${namespace || tagNamespace}.svc.cluster.local`;
  const config = parseObject(env.PROXY_CONFIG) ?? {};
  const labels = readLabels(env);
  const workload = env.ISTIO_META_WORKLOAD_NAME || workloadOf(pod);
  const loopback = env.FLOTILLA_NETWORK === 'loopback';
  const metadata = nodeMetadata(env, { namespace, pod, workload, labels, loopback, podIP, config });
  return {
    type,
    node: {
      id: `${type}~${podIP}~${pod}.${namespace}~${domain}`,
      cluster: text(config.serviceCluster) ?? `${canonicalName(labels, workload)}.${namespace}`,
      metadata,
      user_agent_name: 'flotilla-proxy',
    },
    pod,
    namespace,
    workload,
    labels,
    podIP,
    loopback: loopback ? { localIP: env.FLOTILLA_LOCAL_IP || podIP, captureDir: env.FLOTILLA_CAPTURE_DIR } : undefined,
    dns: env.FLOTILLA_DNS,
    pilot: hostPort(env.FLOTILLA_PILOT || text(config.discoveryAddress) || 'istiod.istio-system.svc:15010'),
    logLevel: logLevel(flags.named.proxyLogLevel),
    drain: seconds(text(config.terminationDrainDuration) ?? env.TERMINATION_DRAIN_DURATION_SECONDS, 5000),
    ports: {
      admin: Number(config.proxyAdminPort ?? 15_000),
      merged: Number(config.statusPort ?? 15_020),
      health: 15_021,
      prometheus: 15_090,
    },
    appMetrics: appMetrics(parseObject(env.ISTIO_PROMETHEUS_ANNOTATIONS)),
  };
}

function parseFlags(args: readonly string[]): { positional: string[]; named: Record<string, string> } {
  const out: { positional: string[]; named: Record<string, string> } = { positional: [], named: {} };
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (!arg.startsWith('--')) {
      out.positional.push(arg);
      continue;
    }
    const [name = '', value] = arg.slice(2).split(/=(.*)/s);
    const next = args[i + 1];
    out.named[name] = value ?? (next !== undefined && !next.startsWith('--') ? args[++i]! : 'true');
  }
  return out;
}

interface Known {
  namespace: string;
  pod: string;
  workload: string;
  labels: Readonly<Record<string, string>>;
  loopback: boolean;
  podIP: string;
  config: JsonObject;
}

/** `ISTIO_META_X=text` and `ISTIO_METAJSON_X={…}` become metadata `X`; what follows from the pod itself is added. */
function nodeMetadata(env: Env, known: Known): JsonObject {
  const out: JsonObject = {};
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined) continue;
    if (name.startsWith('ISTIO_META_')) out[name.slice('ISTIO_META_'.length)] = value;
    else if (name.startsWith('ISTIO_METAJSON_'))
      Object.assign(out, jsonMetadata(name.slice('ISTIO_METAJSON_'.length), value));
  }
  return {
    CLUSTER_ID: 'Kubernetes',
    MESH_ID: 'cluster.local',
    ISTIO_VERSION: '1.24.0',
    ...out,
    NAME: known.pod,
    NAMESPACE: known.namespace,
    WORKLOAD_NAME: known.workload,
    SERVICE_ACCOUNT: env.SERVICE_ACCOUNT ?? 'default',
    INSTANCE_IPS: known.podIP,
    LABELS: { ...known.labels },
    PROXY_CONFIG: known.config,
    ...(known.loopback ? { INTERCEPTION_MODE: 'LOOPBACK' } : {}),
  };
}

function jsonMetadata(name: string, value: string): JsonObject {
  const parsed = parseObject(value);
  // Istio gives labels one by one as `{"app":"reviews"}`; they belong together.
  return parsed && name !== 'LABELS' ? { [name]: parsed } : {};
}

function readLabels(env: Env): Record<string, string> {
  const out: Record<string, string> = {};
  const take = (value: JsonObject | undefined): void => {
    for (const [name, label] of Object.entries(value ?? {})) if (typeof label === 'string') out[name] = label;
  };
  take(parseObject(env.ISTIO_METAJSON_LABELS));
  // The downward API's volume: `name="value"` lines.
  for (const [, name, value] of readOptional('/etc/istio/pod/labels').matchAll(/^(.+?)=(".*")$/gm)) {
    out[name!] = JSON.parse(value!) as string;
  }
  return out;
}

function readOptional(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function parseObject(value: string | undefined): JsonObject | undefined {
  if (!value) return undefined;
  try {
    const parsed = JSON.parse(value) as JsonValue;
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

function text(value: JsonValue | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function seconds(value: string | undefined, absent: number): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m)?$/.exec(value ?? '');
  if (!match) return absent;
  return Number(match[1]) * { ms: 1, s: 1000, m: 60_000 }[(match[2] ?? 's') as 'ms' | 's' | 'm'];
}

function hostPort(value: string): { host: string; port: number } {
  const at = value.lastIndexOf(':');
  return at < 0 ? { host: value, port: 15_010 } : { host: value.slice(0, at), port: Number(value.slice(at + 1)) };
}

function appMetrics(annotations: JsonObject | undefined): Bootstrap['appMetrics'] {
  if (annotations?.scrape !== 'true') return undefined;
  return { port: Number(annotations.port ?? 80), path: text(annotations.path) ?? '/metrics' };
}

/** `--proxyLogLevel=warning`, or `warning,misc:error`: the first counts. */
function logLevel(value: string | undefined): LogLevel {
  const word = value?.split(',')[0] ?? '';
  if (word === 'trace' || word === 'debug') return 'debug';
  if (word === 'error' || word === 'critical' || word === 'off') return 'error';
  return word === 'info' ? 'info' : 'warn';
}

/** `reviews-v1-7f5c9d8b4-abcde` → `reviews-v1`: a Deployment's pods are named after its ReplicaSet. */
function workloadOf(pod: string): string {
  return pod.replace(/-[bcdf-hj-np-tv-z0-9]{6,10}-[bcdf-hj-np-tv-z0-9]{5}$/, '');
}

export function canonicalName(labels: Readonly<Record<string, string>>, workload: string): string {
  return labels['service.istio.io/canonical-name'] || labels['app.kubernetes.io/name'] || labels.app || workload;
}

export function canonicalRevision(labels: Readonly<Record<string, string>>): string {
  return (
    labels['service.istio.io/canonical-revision'] || labels['app.kubernetes.io/version'] || labels.version || 'latest'
  );
}
