import type { RedirectAction } from '@flotilla/xds';
import type { RequestHeaders } from './headers.js';
import { InvalidConfig } from './invalid.js';
import { compileSubstitution } from './regex.js';
import { bare } from './route-match.js';

const statuses = {
  MOVED_PERMANENTLY: 301,
  FOUND: 302,
  SEE_OTHER: 303,
  TEMPORARY_REDIRECT: 307,
  PERMANENT_REDIRECT: 308,
} as const;

export interface Redirect {
  kind: 'redirect';
  status: number;
  location(request: RequestHeaders): string;
}

/** @param matchedPrefix what the route's match consumed, for `prefix_rewrite`; undefined for the whole path. */
export function compileRedirect(action: RedirectAction, matchedPrefix: string | undefined, path: string): Redirect {
  const status = statuses[action.response_code ?? 'MOVED_PERMANENTLY'];
  if (status === undefined) throw new InvalidConfig(`${path}.response_code`, `unknown code ${action.response_code}`);
  const newPath = compilePath(action, matchedPrefix, path);
  return {
    kind: 'redirect',
    status,
    location(request) {
      const before = request.get('x-forwarded-proto') ?? request.scheme;
      const scheme = action.scheme_redirect || (action.https_redirect ? 'https' : before);
      const port = action.port_redirect ? `:${action.port_redirect}` : '';
      const host = action.host_redirect || hostFor(request.authority, before, scheme, port !== '');
      return `${scheme}://${host}${port}${newPath(request.path)}`;
    },
  };
}

/** The request's host, without a port that another scheme or port makes wrong. */
function hostFor(authority: string, before: string, scheme: string, dropPort: boolean): string {
  const match = /^(.*?)(:\d+)$/.exec(authority);
  if (!match) return authority;
  const standard = before === 'https' ? ':443' : ':80';
  return dropPort || (scheme !== before && match[2] === standard) ? match[1]! : authority;
}

function compilePath(action: RedirectAction, matched: string | undefined, path: string): (path: string) => string {
  const query = (from: string): string => (action.strip_query ? '' : from.slice(bare(from).length).replace(/#.*$/, ''));
  if (action.path_redirect) {
    const target = action.path_redirect;
    // A query of its own wins over the request's.
    if (target.includes('?')) return () => (action.strip_query ? bare(target) : target);
    return (from) => target + query(from);
  }
  if (action.prefix_rewrite !== undefined && action.prefix_rewrite !== '') {
    const prefix = action.prefix_rewrite;
    return (from) => prefix + bare(from).slice(matched?.length ?? bare(from).length) + query(from);
  }
  if (action.regex_rewrite) {
    const substitute = compileSubstitution(action.regex_rewrite, `${path}.regex_rewrite`);
    return (from) => substitute(bare(from)) + query(from);
  }
  return (from) => bare(from) + query(from);
}
