import type { core } from '@flotilla/api';
import type { DnsConfig } from '@flotilla/sandbox';

/** What the pod's resolv.conf would say (kubelet's `network/dns`). Name servers of the pod's own are not honoured. */
export function dnsConfig(spec: core.PodSpec, namespace: string, domain: string): DnsConfig {
  const policy = spec.dnsPolicy ?? 'ClusterFirst';
  const host = policy === 'Default' || (policy === 'ClusterFirst' && spec.hostNetwork === true);
  const cluster = host || policy === 'None' ? [] : [`${namespace}.svc.${domain}`, `svc.${domain}`, domain];
  const ndots = spec.dnsConfig?.options?.find((option) => option.name === 'ndots')?.value;
  return {
    host,
    searches: [...cluster, ...(spec.dnsConfig?.searches ?? [])],
    ndots: ndots === undefined ? (policy === 'None' ? 1 : 5) : Number(ndots),
  };
}
