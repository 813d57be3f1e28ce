/** One upstream endpoint, with the live counts that balancing looks at. Mutable by design: one object per endpoint. */
export interface Host {
  /** IP address, or the path of nothing else: names are resolved before they come here. */
  readonly address: string;
  readonly port: number;
  /** `address:port`; IPv6 in brackets. */
  readonly key: string;
  /** Name of the endpoint where the cluster has one: `auto_host_rewrite` takes it. */
  readonly hostname: string;
  weight: number;
  priority: number;
  locality: string;
  /** As the management server says. */
  health: HostHealth;
  /** Set by outlier detection. */
  ejected: boolean;
  /** Has just refused or dropped connections: left alone for a moment as long as others of its kind are there. */
  shunned: boolean;
  /** Requests under way. */
  active: number;
  /** `filter_metadata` of the endpoint: namespace → fields. */
  metadata: Readonly<Record<string, unknown>>;
}

export type HostHealth = 'healthy' | 'degraded' | 'unhealthy';

export type HostInit = Pick<Host, 'address' | 'port'> &
  Partial<Pick<Host, 'hostname' | 'weight' | 'priority' | 'locality' | 'health' | 'metadata'>>;

export function hostKey(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

export function newHost(init: HostInit): Host {
  return {
    address: init.address,
    port: init.port,
    key: hostKey(init.address, init.port),
    hostname: init.hostname ?? '',
    weight: init.weight ?? 1,
    priority: init.priority ?? 0,
    locality: init.locality ?? '',
    health: init.health ?? 'healthy',
    ejected: false,
    shunned: false,
    active: 0,
    metadata: init.metadata ?? {},
  };
}

export function isHealthy(host: Host): boolean {
  return host.health === 'healthy' && !host.ejected;
}

/**
 * The new host objects for an update: an endpoint that stays keeps its object, and so its counts and ejection, while
 * weight, priority, locality and health follow the update.
 */
export function mergeHosts(before: readonly Host[], update: readonly HostInit[]): Host[] {
  const known = new Map(before.map((host) => [host.key, host]));
  const seen = new Set<string>();
  const out: Host[] = [];
  for (const init of update) {
    const fresh = newHost(init);
    if (seen.has(fresh.key)) continue;
    seen.add(fresh.key);
    const old = known.get(fresh.key);
    if (!old) {
      out.push(fresh);
      continue;
    }
    old.weight = fresh.weight;
    old.priority = fresh.priority;
    old.locality = fresh.locality;
    old.health = fresh.health;
    old.metadata = fresh.metadata;
    out.push(old);
  }
  return out;
}
