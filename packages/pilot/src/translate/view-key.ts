import type { Proxy, ServiceTarget } from '../model/proxy.js';
import type { ConfigSnapshot } from '../model/snapshot.js';

const relevant = new WeakMap<ConfigSnapshot, readonly string[]>();

/** The labels that some rule asks about: only by these can two proxies of a namespace see the mesh differently. */
export function relevantLabels(config: ConfigSnapshot): readonly string[] {
  let keys = relevant.get(config);
  if (!keys) {
    const found = new Set<string>();
    const add = (labels: Record<string, string> | undefined): void => {
      for (const key in labels) found.add(key);
    };
    for (const { spec } of config.gateways) add(spec.selector);
    for (const { spec } of config.destinationRules) add(spec.workloadSelector?.matchLabels);
    for (const { spec } of config.virtualServices) {
      for (const { match } of spec.http ?? []) for (const { sourceLabels } of match ?? []) add(sourceLabels);
      for (const { match } of spec.tcp ?? []) for (const { sourceLabels } of match ?? []) add(sourceLabels);
    }
    keys = [...found].sort();
    relevant.set(config, keys);
  }
  return keys;
}

/** Equal for proxies whose outbound configuration is the same. */
export function viewKey(config: ConfigSnapshot, proxy: Proxy, targets: readonly ServiceTarget[]): string {
  const labels = relevantLabels(config).map((key) => proxy.labels[key] ?? null);
  // A gateway's listeners depend on the ports of its own services.
  const ports = proxy.type === 'router' ? targets.map(({ servicePort, port }) => [servicePort, port]) : [];
  return JSON.stringify([proxy.type, proxy.namespace, proxy.interception, proxy.http2, proxy.headerDst, labels, ports]);
}
