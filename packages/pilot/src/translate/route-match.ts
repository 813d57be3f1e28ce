import type { istio } from '@flotilla/api';
import type { HeaderMatcher, QueryParameterMatcher, RouteMatch, StringMatcher } from '@flotilla/xds';

/**
 * The condition of one match block. `wholeElements`: a prefix ends at a path element, as Kubernetes' Ingress wants it and
 * Istio's own rules do not.
 */
export function routeMatch(match: istio.HTTPMatchRequest | undefined, wholeElements: boolean): RouteMatch {
  if (!match) return { prefix: '/' };
  const out: RouteMatch = { ...pathMatch(match.uri, wholeElements), case_sensitive: !match.ignoreUriCase };
  const headers = [
    ...Object.entries(match.headers ?? {}).map(([name, value]) => headerMatch(name, value)),
    ...Object.entries(match.withoutHeaders ?? {}).map(([name, value]) => withoutHeader(name, value)),
  ].sort((a, b) => (a.name! < b.name! ? -1 : 1));
  if (match.method) headers.push(headerMatch(':method', match.method));
  if (match.authority) headers.push(headerMatch(':authority', match.authority));
  if (match.scheme) headers.push(headerMatch(':scheme', match.scheme));
  if (headers.length > 0) out.headers = headers;
  const query = Object.entries(match.queryParams ?? {}).map(([name, value]) => queryMatch(name, value));
  if (query.length > 0) out.query_parameters = query;
  return out;
}

function pathMatch(uri: istio.StringMatch | undefined, wholeElements: boolean): RouteMatch {
  if (uri?.exact !== undefined) return { path: uri.exact };
  if (uri?.regex !== undefined) return { safe_regex: { regex: uri.regex } };
  const prefix = uri?.prefix ?? '/';
  if (!wholeElements || prefix === '/') return { prefix };
  return { path_separated_prefix: prefix.endsWith('/') ? prefix.slice(0, -1) : prefix };
}

/** No text at all, or the regex `*`, asks for presence (Istio, canBeConvertedToPresentMatch). */
function isPresence(match: istio.StringMatch): boolean {
  return (match.exact === undefined && match.prefix === undefined && match.regex === undefined) || match.regex === '*';
}

export function stringMatcher(match: istio.StringMatch): StringMatcher {
  if (match.exact !== undefined) return { exact: match.exact };
  if (match.prefix !== undefined) return { prefix: match.prefix };
  return { safe_regex: { regex: match.regex ?? '' } };
}

function headerMatch(name: string, match: istio.StringMatch): HeaderMatcher {
  return isPresence(match) ? { name, present_match: true } : { name, string_match: stringMatcher(match) };
}

function withoutHeader(name: string, match: istio.StringMatch): HeaderMatcher {
  const matcher: HeaderMatcher = { ...headerMatch(name, match), invert_match: true };
  // Without it a request that lacks the header would not be "without this value".
  return isPresence(match) ? matcher : { ...matcher, treat_missing_header_as_empty: true };
}

function queryMatch(name: string, match: istio.StringMatch): QueryParameterMatcher {
  return isPresence(match) ? { name, present_match: true } : { name, string_match: stringMatcher(match) };
}

/** Whether nothing gets past this match, so that later routes are never reached (Istio, IsCatchAllRoute). */
export function isCatchAll(match: RouteMatch): boolean {
  const anyPath = match.prefix === '/' || match.safe_regex?.regex === '*' || match.path_separated_prefix === '';
  return anyPath && !match.headers?.length && !match.query_parameters?.length;
}
