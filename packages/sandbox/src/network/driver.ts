/** A pod's place on the network. */
export interface PodNetwork {
  podIP: string;
  /** What "localhost" means inside the pod; 127.0.0.1 where the pod has a network namespace of its own. */
  localIP: string;
  /** Where capture rules and the ports in use are written, see docs/architecture.md. */
  captureDir: string;
  /** Environment that the pod's programs need to find their network. */
  env: Record<string, string>;
}

export interface AttachRequest {
  /** The pod's own directory, which outlives the agent. */
  podDir: string;
  /** The pod shares the node's address and is otherwise left alone. */
  hostNetwork: boolean;
  /** The address it held before the agent died: to be had again. */
  podIP?: string;
  dns: DnsConfig;
  /** The pod's host name. */
  hostname: string;
}

/** What /etc/resolv.conf says in an ordinary cluster. */
export interface DnsConfig {
  /** True: names are resolved as the host does it (dnsPolicy Default, or ClusterFirst with hostNetwork). */
  host: boolean;
  searches: readonly string[];
  ndots: number;
}

/**
 * Gives pods their addresses. `loopback` is the driver that needs no privileges; one that gives each pod a network
 * namespace has the same port.
 */
export interface NetworkDriver {
  readonly name: string;
  /** Undefined when no address is left. */
  attach(request: AttachRequest): PodNetwork | undefined;
  detach(network: PodNetwork): void;
}
