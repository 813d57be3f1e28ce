import type { MountMapping } from '../volumes/mapping.js';

/** What the node agent tells the preload shim by environment variables. */
export interface ShimSettings {
  /** Absent when the container shares the node's network. */
  network?: {
    podIP: string;
    /** The pod's private twin: what "localhost" means inside. */
    localIP: string;
    captureDir: string;
    hostname: string;
    /** Addresses by name, beyond DNS (hostAliases). */
    hosts: Record<string, string>;
  };
  /** Absent when names resolve as on the host. */
  dns?: { server: string; domain: string; searches: string[]; ndots: number };
  mounts: MountMapping[];
}

export function readSettings(env: NodeJS.ProcessEnv): ShimSettings {
  const settings: ShimSettings = { mounts: [] };
  const { FLOTILLA_POD_IP: podIP, FLOTILLA_LOCAL_IP: localIP, FLOTILLA_CAPTURE_DIR: captureDir } = env;
  if (env['FLOTILLA_NETWORK'] === 'loopback' && podIP && localIP && captureDir) {
    const hostname = env['FLOTILLA_HOSTNAME'] ?? '';
    const hosts = JSON.parse(env['FLOTILLA_HOSTS'] ?? '{}') as Record<string, string>;
    settings.network = {
      podIP,
      localIP,
      captureDir,
      hostname,
      hosts: hostname ? { ...hosts, [hostname]: podIP } : hosts,
    };
    const server = env['FLOTILLA_DNS'];
    if (server) {
      settings.dns = {
        server,
        domain: env['FLOTILLA_CLUSTER_DOMAIN'] || 'cluster.local',
        searches: (env['FLOTILLA_DNS_SEARCH'] ?? '').split(' ').filter(Boolean),
        ndots: Number(env['FLOTILLA_DNS_NDOTS'] ?? 5),
      };
    }
  }
  if (env['FLOTILLA_MOUNTS']) settings.mounts = JSON.parse(env['FLOTILLA_MOUNTS']) as MountMapping[];
  return settings;
}
