import { type ServiceView, usableEndpoints } from './model.js';

export interface Backend {
  ip: string;
  port: number;
}

/** One TCP listener that the machine should have for a service port. */
export interface WantedListener {
  address: string;
  port: number;
  /** `namespace/name:port`, for logs. */
  owner: string;
  backends: readonly Backend[];
  affinitySeconds?: number;
  /** True: every agent of the machine wants it and one must have it; else it is this node's alone. */
  shared: boolean;
}

/** The listeners that serve `services`, by `address:port`. The first service of a port in order of name has it. */
export function wantedListeners(
  services: Iterable<ServiceView>,
  node: { hostAddress: string; nodeIP: string },
): Map<string, WantedListener> {
  const wanted = new Map<string, WantedListener>();
  const ordered = [...services].sort((a, b) => (`${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1));
  for (const service of ordered) {
    const usable = usableEndpoints(service.endpoints);
    for (const port of service.ports) {
      if (port.protocol !== 'TCP') continue;
      const backends = usable.flatMap(({ ip, ports }) =>
        ports[port.name] === undefined ? [] : [{ ip, port: ports[port.name]! }],
      );
      const owner = `${service.namespace}/${service.name}:${port.port}`;
      const add = (address: string, number: number | undefined, shared = true): void => {
        const key = `${address}:${number}`;
        if (number === undefined || wanted.has(key)) return;
        const listener = { address, port: number, owner, backends, shared };
        wanted.set(
          key,
          service.affinitySeconds === undefined ? listener : { ...listener, affinitySeconds: service.affinitySeconds },
        );
      };
      if (service.clusterIP !== undefined) add(service.clusterIP, port.port);
      add(node.hostAddress, port.hostPort);
      add(node.hostAddress, port.nodePort);
      add(node.nodeIP, port.nodePort, false);
    }
  }
  return wanted;
}
