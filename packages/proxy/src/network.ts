import type { Bootstrap } from './bootstrap.js';
import type { NetworkView } from './upstream/cluster.js';

/** Where things are, seen from this pod. On the loopback network "localhost" is the pod's private twin. */
export interface PodNetwork extends NetworkView {
  bindAddress(address: string): string;
}

export function podNetwork({ podIP, loopback }: Pick<Bootstrap, 'podIP' | 'loopback'>): PodNetwork {
  if (!loopback) {
    return { sourceFor: () => undefined, dialAddress: (address) => address, bindAddress: (address) => address };
  }
  const { localIP } = loopback;
  const local = new Set([podIP, '127.0.0.1', localIP]);
  return {
    // A loopback address cannot be the source of a connection that leaves the machine.
    sourceFor: (address) => (address.startsWith('127.') ? podIP : undefined),
    dialAddress: (address) => (local.has(address) ? localIP : address),
    bindAddress(address) {
      if (address === '0.0.0.0' || address === '::') return podIP;
      return address === '127.0.0.1' ? localIP : address;
    },
  };
}
