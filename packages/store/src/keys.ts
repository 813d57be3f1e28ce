import { InvalidKey } from './errors.js';

/** Stands for the core group, whose name is empty, and for "no namespace"; neither can be a real one. */
const coreGroup = 'core';
const noNamespace = '_';

export interface KeyParts {
  group: string;
  resource: string;
  /** Absent for cluster-scoped objects. */
  namespace?: string;
  name: string;
}

/** `/<group or core>/<resource>/<namespace or _>/<name>` */
export function storeKey(parts: KeyParts): string {
  return `/${parts.group || coreGroup}/${parts.resource}/${parts.namespace || noNamespace}/${parts.name}`;
}

/** The prefix of a resource's keys, `/<group or core>/<resource>/`, or of one namespace's. */
export function storePrefix(parts: { group: string; resource: string; namespace?: string }): string {
  const resource = `/${parts.group || coreGroup}/${parts.resource}/`;
  return parts.namespace ? `${resource}${parts.namespace}/` : resource;
}

export function parseKey(key: string): KeyParts {
  const [empty, group, resource, namespace, name, ...rest] = key.split('/');
  if (empty !== '' || !group || !resource || !namespace || !name || rest.length > 0) {
    throw new InvalidKey(key, 'expected /<group>/<resource>/<namespace or _>/<name>');
  }
  return {
    group: group === coreGroup ? '' : group,
    resource,
    ...(namespace === noNamespace ? {} : { namespace }),
    name,
  };
}

/** The part of a key, or of a prefix that is long enough, that names its resource: `/<group>/<resource>/`. */
export function bucketOf(keyOrPrefix: string): string | undefined {
  const second = keyOrPrefix.indexOf('/', keyOrPrefix.indexOf('/', 1) + 1);
  return keyOrPrefix.startsWith('/') && second > 1 ? keyOrPrefix.slice(0, second + 1) : undefined;
}

/**
 * The subject of a key: its segments as tokens. What a NATS token cannot hold (`.`, `*`, `>`, white space, controls)
 * and `%` are percent-encoded, so that names with dots stay one token and no two keys share a subject.
 */
export function subjectOf(root: string, key: string): string {
  parseKey(key);
  try {
    const token = (segment: string): string =>
      encodeURIComponent(segment).replace(/[.*]/g, (c) => (c === '.' ? '%2E' : '%2A'));
    return [root, ...key.slice(1).split('/').map(token)].join('.');
  } catch (error) {
    if (error instanceof URIError) throw new InvalidKey(key, 'not well-formed Unicode');
    throw error;
  }
}

/** The key of a subject below `root`, or undefined if it is not one of ours. */
export function keyOfSubject(root: string, subject: string): string | undefined {
  const tokens = subject.slice(root.length + 1).split('.');
  if (!subject.startsWith(`${root}.`) || tokens.length !== 4) return undefined;
  try {
    return `/${tokens.map(decodeURIComponent).join('/')}`;
  } catch {
    return undefined;
  }
}
