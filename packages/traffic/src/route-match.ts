import type { Random } from '@flotilla/base';
import type { RouteMatch } from '@flotilla/xds';
import type { RequestHeaders } from './headers.js';
import { InvalidConfig, refuse } from './invalid.js';
import { compileHeaderMatchers, compileQueryMatcher, queryParameters, type TextTest } from './matchers.js';
import { compileRegex } from './regex.js';
import { happens, runtimeFraction } from './values.js';

/** How a route matched its path: decides what `prefix_rewrite` replaces. */
export interface PathMatch {
  /** The matched prefix, or undefined where the whole path is what matched. */
  prefix?: string;
  test: TextTest;
}

export interface CompiledMatch {
  path: PathMatch;
  matches(request: RequestHeaders, random: Random): boolean;
}

/** The path without query and fragment: what route matchers look at. */
export function bare(path: string): string {
  const end = path.search(/[?#]/);
  return end < 0 ? path : path.slice(0, end);
}

function compilePath(match: RouteMatch, at: string): PathMatch {
  refuse(at, match, ['connect_matcher', 'path_match_policy', 'tls_context', 'dynamic_metadata']);
  const sensitive = match.case_sensitive ?? true;
  const fold = sensitive ? (text: string) => text : (text: string) => text.toLowerCase();
  if (match.safe_regex) return { test: compileRegex(match.safe_regex, `${at}.safe_regex`) };
  if (match.path !== undefined) {
    const want = fold(match.path);
    return { test: (path) => fold(path) === want };
  }
  if (match.path_separated_prefix !== undefined) {
    const want = fold(match.path_separated_prefix);
    // "/api/dev" matches "/api/dev" and "/api/dev/v1", not "/api/developer".
    const test = (path: string): boolean => {
      const text = fold(path);
      return text.startsWith(want) && (text.length === want.length || text[want.length] === '/');
    };
    return { prefix: match.path_separated_prefix, test };
  }
  if (match.prefix === undefined) throw new InvalidConfig(at, 'a path specifier is required');
  const want = fold(match.prefix);
  return { prefix: match.prefix, test: (path) => fold(path).startsWith(want) };
}

export function compileRouteMatch(match: RouteMatch, at: string): CompiledMatch {
  const path = compilePath(match, at);
  const headers = compileHeaderMatchers(match.headers, `${at}.headers`);
  const queries = (match.query_parameters ?? []).map((q, i) => compileQueryMatcher(q, `${at}.query_parameters[${i}]`));
  const share = runtimeFraction(match.runtime_fraction);
  const grpc = match.grpc !== undefined;
  const matches = (request: RequestHeaders, random: Random): boolean => {
    if (!path.test(bare(request.path))) return false;
    if (grpc && !isGrpc(request)) return false;
    for (const test of headers) if (!test(request)) return false;
    if (queries.length > 0) {
      const parameters = queryParameters(request.path);
      for (const test of queries) if (!test(parameters)) return false;
    }
    return share >= 1 || happens(share, random);
  };
  return { path, matches };
}

export function isGrpc(request: RequestHeaders): boolean {
  const type = request.get('content-type');
  return type === 'application/grpc' || (type?.startsWith('application/grpc+') ?? false);
}
