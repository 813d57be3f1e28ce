import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { NamedError } from '@flotilla/base';
import type { AttachRequest, NetworkDriver, PodNetwork } from './driver.js';
import { AddressPool, cidrContains, formatIPv4, parseCidr, parseIPv4 } from './ipam.js';

export interface LoopbackOptions {
  /** This node's block, e.g. `127.65.1.0/24`. */
  podCIDR: string;
  /** The whole cluster's pods and their private twins, e.g. `127.65.0.0/16` and `127.129.0.0/16`. */
  clusterPodCIDR: string;
  clusterLocalCIDR: string;
  nodeIP: string;
  /** The node's DNS server, `ip:port`. */
  dns: string;
  clusterDomain: string;
  /** Where proxies find pilot, `host:port`. */
  pilot: string;
}

/** Every pod has an address of 127.0.0.0/8 and a private twin; see "Network driver loopback" in docs/architecture.md. */
export function loopbackDriver(options: LoopbackOptions): NetworkDriver {
  const own = block(options.podCIDR);
  const pods = block(options.clusterPodCIDR);
  const twins = block(options.clusterLocalCIDR);
  const pool = new AddressPool(own, [options.nodeIP]);
  const twin = (address: string): string => {
    const value = parseIPv4(address) ?? pods.base;
    return cidrContains(pods, value) ? formatIPv4(twins.base + (value - pods.base)) : '127.0.0.1';
  };
  return {
    name: 'loopback',

    attach(request) {
      const captureDir = join(request.podDir, 'capture');
      for (const part of ['inbound', 'listening', 'local']) mkdirSync(join(captureDir, part), { recursive: true });
      const shared = { FLOTILLA_PILOT: options.pilot, FLOTILLA_CAPTURE_DIR: captureDir };
      if (request.hostNetwork) {
        return { podIP: options.nodeIP, localIP: '127.0.0.1', captureDir, env: { ...shared } };
      }
      const kept = request.podIP !== undefined && pool.reserve(request.podIP) ? request.podIP : undefined;
      const podIP = kept ?? pool.allocate();
      if (podIP === undefined) return undefined;
      const localIP = twin(podIP);
      return { podIP, localIP, captureDir, env: { ...shared, ...loopbackEnv(request, options, podIP, localIP) } };
    },

    detach(network: PodNetwork) {
      if (network.podIP !== options.nodeIP) pool.release(network.podIP);
    },
  };
}

function loopbackEnv(
  request: AttachRequest,
  options: LoopbackOptions,
  podIP: string,
  localIP: string,
): Record<string, string> {
  return {
    FLOTILLA_NETWORK: 'loopback',
    FLOTILLA_POD_IP: podIP,
    FLOTILLA_LOCAL_IP: localIP,
    FLOTILLA_HOSTNAME: request.hostname,
    FLOTILLA_CLUSTER_DOMAIN: options.clusterDomain,
    ...(request.dns.host
      ? {}
      : {
          FLOTILLA_DNS: options.dns,
          FLOTILLA_DNS_SEARCH: request.dns.searches.join(' '),
          FLOTILLA_DNS_NDOTS: String(request.dns.ndots),
        }),
  };
}

function block(text: string): { base: number; size: number } {
  const cidr = parseCidr(text);
  if (!cidr) throw new NamedError('InvalidCidr', `not an IPv4 block: ${text}`);
  return cidr;
}
