/** What a path and method ask for, before anyone knows whether it exists. Pure: upstream's `RequestInfo`. */
export interface ResourceTarget {
  kind: 'resource';
  verb: Verb;
  group: string;
  version: string;
  resource: string;
  subresource: string;
  namespace: string;
  name: string;
}

export interface PathTarget {
  kind: 'path';
  /** The method in lower case, as authorization of non-resource paths names it. */
  verb: string;
  path: string;
}

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection';
export type Target = ResourceTarget | PathTarget;

const namespaceSubresources = new Set(['status', 'finalize']);

/** Splits a path into decoded segments; undefined when the percent-encoding is broken. */
function segmentsOf(path: string): string[] | undefined {
  try {
    return path.split('/').filter(Boolean).map(decodeURIComponent);
  } catch {
    return undefined;
  }
}

function verbOf(method: string, named: boolean, query: URLSearchParams, legacyWatch: boolean): Verb | undefined {
  switch (method) {
    case 'GET': {
      const watch = legacyWatch || ['1', 'true', 'True', 'TRUE', 't'].includes(query.get('watch') ?? '');
      if (watch && (!named || legacyWatch)) return 'watch';
      return named ? 'get' : 'list';
    }
    case 'POST':
      return 'create';
    case 'PUT':
      return 'update';
    case 'PATCH':
      return 'patch';
    case 'DELETE':
      return named ? 'delete' : 'deletecollection';
    default:
      return undefined;
  }
}

/** `/api/v1/…` and `/apis/<group>/<version>/…` with at least a resource are resource requests; all else is a path. */
export function route(method: string, path: string, query: URLSearchParams): Target {
  const asPath: PathTarget = { kind: 'path', verb: method.toLowerCase(), path };
  const segments = segmentsOf(path);
  if (!segments) return asPath;
  let [group, version, rest] = ['', '', [] as string[]];
  if (segments[0] === 'api' && segments.length > 2) [version, rest] = [segments[1]!, segments.slice(2)];
  else if (segments[0] === 'apis' && segments.length > 3) {
    [group, version, rest] = [segments[1]!, segments[2]!, segments.slice(3)];
  } else return asPath;

  const legacyWatch = rest[0] === 'watch' && rest.length > 1;
  if (legacyWatch) rest = rest.slice(1);

  let namespace = '';
  // `/namespaces/<n>` and its own subresources are the namespace itself; anything longer lives inside it.
  if (rest[0] === 'namespaces' && rest.length > 2 && !(rest.length === 3 && namespaceSubresources.has(rest[2]!))) {
    namespace = rest[1]!;
    rest = rest.slice(2);
  }
  const [resource = '', name = '', ...sub] = rest;
  const verb = verbOf(method, name !== '', query, legacyWatch);
  if (!verb || resource === '') return asPath;
  return { kind: 'resource', verb, group, version, resource, subresource: sub.join('/'), namespace, name };
}
