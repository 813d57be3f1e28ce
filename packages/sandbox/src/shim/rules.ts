import { cidrContains, parseCidr, parseIPv4 } from '../network/ipam.js';

/** `rules.json` as `istio-init` writes it: the counterpart of its nftables rules. See docs/architecture.md. */
export interface CaptureRules {
  outboundPort: number;
  inboundPort: number;
  includeOutboundCIDRs: string[];
  excludeOutboundCIDRs: string[];
  includeInboundPorts: (string | number)[];
  excludeInboundPorts: number[];
  excludeOutboundPorts: number[];
}

export function capturesInbound(rules: CaptureRules, port: number): boolean {
  if (port === rules.outboundPort || port === rules.inboundPort) return false;
  if (rules.excludeInboundPorts.map(Number).includes(port)) return false;
  return rules.includeInboundPorts.some((included) => included === '*' || Number(included) === port);
}

export function capturesOutbound(rules: CaptureRules, address: string, port: number): boolean {
  if (rules.excludeOutboundPorts.map(Number).includes(port)) return false;
  const value = parseIPv4(address);
  const within = (block: string): boolean => {
    if (block === '*') return true;
    const cidr = parseCidr(block);
    return cidr !== undefined && value !== undefined && cidrContains(cidr, value);
  };
  return rules.includeOutboundCIDRs.some(within) && !rules.excludeOutboundCIDRs.some(within);
}
