import type { RouteAction } from '@flotilla/xds';
import type { RequestHeaders } from './headers.js';
import { refuse } from './invalid.js';
import { compileSubstitution } from './regex.js';
import { bare } from './route-match.js';

/** Rewrites path and authority in place. */
export type Rewrite = (request: RequestHeaders) => void;

/**
 * Path and host rewrites of a route, as Envoy's router does them before the request leaves: the old path is kept in
 * `x-envoy-original-path`, the old host in `x-forwarded-host` if `append_x_forwarded_host` is set.
 */
export function compileRewrite(action: RouteAction, matchedPrefix: string | undefined, path: string): Rewrite {
  refuse(path, action, ['path_rewrite_policy']);
  const newPath = compilePathRewrite(action, matchedPrefix, path);
  const newHost = compileHostRewrite(action, path);
  return (request) => {
    const before = request.path;
    const after = newPath?.(before) ?? before;
    const host = newHost?.(request);
    if (host) setHost(request, host, action.append_x_forwarded_host ?? false);
    if (after === before) return;
    if (!request.has('x-envoy-original-path')) request.set('x-envoy-original-path', before);
    request.path = after;
  };
}

export function setHost(request: RequestHeaders, host: string, keepOld: boolean): void {
  if (keepOld && request.authority) request.append('x-forwarded-host', request.authority);
  request.authority = host;
}

function compilePathRewrite(
  action: RouteAction,
  matched: string | undefined,
  path: string,
): ((p: string) => string) | undefined {
  if (action.prefix_rewrite) {
    const prefix = action.prefix_rewrite;
    return (from) => prefix + from.slice(matched === undefined ? bare(from).length : matched.length);
  }
  if (!action.regex_rewrite) return undefined;
  const substitute = compileSubstitution(action.regex_rewrite, `${path}.regex_rewrite`);
  return (from) => substitute(bare(from)) + from.slice(bare(from).length);
}

function compileHostRewrite(
  action: RouteAction,
  path: string,
): ((r: RequestHeaders) => string | undefined) | undefined {
  const { host_rewrite_literal: literal, host_rewrite_header: header } = action;
  if (literal) return () => literal;
  if (header) return (request) => request.get(header.toLowerCase());
  if (!action.host_rewrite_path_regex) return undefined;
  const substitute = compileSubstitution(action.host_rewrite_path_regex, `${path}.host_rewrite_path_regex`);
  return (request) => substitute(bare(request.path));
}
