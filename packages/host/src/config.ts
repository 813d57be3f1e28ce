/**
 * The configuration files that the supervisor writes and each process reads: the contract between `flotilla up` and the
 * processes. All paths are absolute.
 */

/** How a component reaches NATS. `user` is also its identity token: it may publish only below `api.<user>.`. */
export interface NatsAccess {
  servers: string[];
  user: string;
  password: string;
}

export interface NetworkConfig {
  driver: 'loopback';
  /** Pod addresses; every node owns one /24 of it, whose .1 is the node itself. E.g. `127.65.0.0/16`. */
  podCIDR: string;
  /** The pods' private "localhost" addresses, same host part as the pod's. E.g. `127.129.0.0/16`. */
  localCIDR: string;
  /** Cluster IPs of services. E.g. `127.193.0.0/16`. */
  serviceCIDR: string;
  /** E.g. `cluster.local`. */
  clusterDomain: string;
}

/** Timings. `fast` notices a dead node in about a second; `kubernetes` has upstream's defaults. */
export type Profile = 'fast' | 'kubernetes';

interface ProcessConfig {
  /** The cluster's name, e.g. `flotilla`. */
  cluster: string;
  /** The cluster's directory, e.g. `~/.flotilla/clusters/flotilla`. */
  clusterDir: string;
  network: NetworkConfig;
  profile: Profile;
  logLevel?: 'debug' | 'info' | 'warn' | 'error';
}

export interface MasterConfig extends ProcessConfig {
  nats: {
    /** The API server's own connection: the store's stream, `api.>`, `node.>`. */
    apiserver: NatsAccess;
    controllers: NatsAccess;
    scheduler: NatsAccess;
    /** On the system account, for connect and disconnect advisories. */
    system: NatsAccess;
  };
  /** The HTTPS door. */
  listen: { host: string; port: number };
  /** PEM files. */
  pki: { caCert: string; caKey: string; serverCert: string; serverKey: string };
  /** The name shown to clients for the API server's address, e.g. `https://127.0.0.1:6443`. */
  publicUrl: string;
  pilot: { host: string; xdsPort: number };
  /** Host ports of the ingress gateway's service. */
  gateway: { host: string; httpPort: number; httpsPort: number };
  /** Where the default StorageClass keeps volumes: one directory each. */
  volumesDir: string;
}

export interface PilotConfig extends ProcessConfig {
  nats: NatsAccess;
  listen: { host: string; xdsPort: number; xdsTlsPort: number; metricsPort: number };
}

export interface AgentConfig extends ProcessConfig {
  node: string;
  nats: NatsAccess;
  /** This node's /24, e.g. `127.65.1.0/24`, and its address in it, e.g. `127.65.1.1`. */
  podCIDR: string;
  nodeIP: string;
  /** Pod directories, state and caches of this node. */
  nodeDir: string;
  volumesDir: string;
  pilot: { host: string; xdsPort: number };
  images: {
    /** The built-in images' catalogue (see `sandbox`). */
    catalogue: string;
    /** Images registered by the user: one directory each with an `image.json`. */
    registryDir: string;
  };
  /** Bundle of the preload shim for Node programs. */
  shim: string;
  /** Host address for LoadBalancer and NodePort listeners, e.g. `127.0.0.1`. */
  hostAddress: string;
  labels?: Record<string, string>;
  taints?: { key: string; value?: string; effect: string }[];
}

/**
 * Environment variables that mark every process of a cluster, so that any of them can be found again in /proc after a
 * crash: a process with `FLOTILLA_CLUSTER=<clusterDir>` belongs to that cluster.
 */
export const processTags = {
  /** The cluster's directory. */
  cluster: 'FLOTILLA_CLUSTER',
  /** `supervisor`, `nats`, `master`, `pilot`, `agent`, `proxy` or `container`. */
  role: 'FLOTILLA_ROLE',
  /** On agents, proxies and containers: the node's name. */
  node: 'FLOTILLA_NODE',
  /** On proxies and containers: `namespace/name`. */
  pod: 'FLOTILLA_POD',
  /** On proxies and containers: the container's name. */
  container: 'FLOTILLA_CONTAINER',
} as const;
