/** Host names of services and rules, as Istio reads them. */

/** The full name of a short one: a name without dots is a service of `namespace` (Istio, ResolveShortnameToFQDN). */
export function resolveHost(host: string, namespace: string, domain: string): string {
  if (host === '' || host.includes('*') || host.includes('.')) return host.toLowerCase();
  return `${host.toLowerCase()}.${namespace}.svc.${domain}`;
}

export function isWildcard(host: string): boolean {
  return host.startsWith('*');
}

/** Whether every name that `inner` stands for is one that `outer` stands for. */
export function covers(outer: string, inner: string): boolean {
  if (outer === '*') return true;
  if (!isWildcard(outer)) return outer === inner;
  const suffix = outer.slice(1);
  return isWildcard(inner) ? inner.slice(1).endsWith(suffix) : inner.endsWith(suffix) && inner !== suffix;
}

/** The more specific of two host names, or undefined when no name is in both. */
export function intersection(one: string, other: string): string | undefined {
  if (covers(one, other)) return other;
  return covers(other, one) ? one : undefined;
}

/** Most specific first: names before wildcards, longer wildcards before shorter, then by text. */
export function bySpecificity(one: string, other: string): number {
  const wild = Number(isWildcard(one)) - Number(isWildcard(other));
  return wild || (isWildcard(one) ? other.length - one.length : 0) || (one < other ? -1 : Number(one > other));
}
