/** An image name taken apart: `docker.io/istio/proxyv2:1.20@sha256:…`. */
export interface ImageName {
  /** `docker.io` unless the name says otherwise. */
  registry: string;
  /** Without registry; without `library/` on Docker Hub. */
  repository: string;
  tag: string | undefined;
  digest: string | undefined;
}

const namePattern = /^[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*)*$/;

/** Undefined if `text` is not a valid reference (distribution's grammar). */
export function parseImageName(text: string): ImageName | undefined {
  const [beforeDigest = '', digest] = text.split('@', 2);
  const colon = beforeDigest.lastIndexOf(':');
  const hasTag = colon > beforeDigest.lastIndexOf('/');
  const path = hasTag ? beforeDigest.slice(0, colon) : beforeDigest;
  const tag = hasTag ? beforeDigest.slice(colon + 1) : undefined;
  if (tag !== undefined && !/^[\w][\w.-]{0,127}$/.test(tag)) return undefined;
  if (digest !== undefined && !/^[a-z0-9+._-]+:[0-9a-fA-F]{32,}$/.test(digest)) return undefined;
  const slash = path.indexOf('/');
  const first = path.slice(0, Math.max(0, slash));
  const hasRegistry = slash > 0 && (first === 'localhost' || /[.:]/.test(first));
  let registry = hasRegistry ? first : 'docker.io';
  if (registry === 'index.docker.io') registry = 'docker.io';
  let repository = hasRegistry ? path.slice(slash + 1) : path;
  if (registry === 'docker.io' && repository.startsWith('library/')) repository = repository.slice('library/'.length);
  return namePattern.test(repository) ? { registry, repository, tag, digest } : undefined;
}
