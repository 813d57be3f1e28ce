import os from 'node:os';
import type { ShimSettings } from './settings.js';

/** The pod's name and address in the place of the machine's. */
export function patchHost(network: NonNullable<ShimSettings['network']>): void {
  if (network.hostname) os.hostname = () => network.hostname;
  os.networkInterfaces = () => ({
    lo: [
      {
        address: '127.0.0.1',
        netmask: '255.0.0.0',
        family: 'IPv4',
        mac: '00:00:00:00:00:00',
        internal: true,
        cidr: '127.0.0.1/8',
      },
    ],
    eth0: [
      {
        address: network.podIP,
        netmask: '255.255.255.0',
        family: 'IPv4',
        mac: macOf(network.podIP),
        internal: false,
        cidr: `${network.podIP}/24`,
      },
    ],
  });
}

/** Docker's habit: the hardware address is derived from the IP. */
function macOf(address: string): string {
  const bytes = address.split('.').map((part) => Number(part).toString(16).padStart(2, '0'));
  return `02:42:${bytes.join(':')}`;
}
