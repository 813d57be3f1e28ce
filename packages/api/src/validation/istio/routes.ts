import { quote } from '../../errors.js';
import type * as istio from '../../gen/istio.js';
import { grpcStatusNames } from './grpc.js';
import {
  type Complaints,
  duration,
  fqdn,
  fraction,
  headerValue,
  isAuthorityHeader,
  isDnsLabel,
  labels,
  matchHeader,
  port,
  subsetName,
  wildcardDomain,
  writtenHeader,
  writtenRequestHeader,
} from './primitives.js';
import { regexpComplaints } from './regexp.js';

/** What Istio's webhook says of one HTTP route. `delegate`: the VirtualService has no hosts of its own. */
export function httpRouteComplaints(route: istio.HTTPRoute, delegate: boolean): Complaints {
  const root = !delegate && route.delegate !== undefined;
  return [
    ...conflicts(route, delegate, root),
    ...(route.match ?? []).flatMap((match) => matchComplaints(match, delegate || root)),
    ...headersComplaints(route.headers),
    ...corsComplaints(route.corsPolicy),
    ...faultComplaints(route.fault),
    ...mirrorComplaints(route),
    ...redirectComplaints(route.redirect),
    ...statusComplaints(route.directResponse?.status),
    ...retryComplaints(route.retries),
    ...rewriteComplaints(route.rewrite),
    ...authorityComplaints(route),
    ...destinationsComplaints(route.route ?? []),
    ...duration(route.timeout),
  ];
}

function conflicts(route: istio.HTTPRoute, delegate: boolean, root: boolean): Complaints {
  const { redirect, directResponse, fault, rewrite, name = '' } = route;
  const routes = route.route?.length ?? 0;
  const complaints: Complaints = [];
  if (root) {
    if (redirect) complaints.push(`root HTTP route ${name} must not specify redirect`);
    if (routes > 0) complaints.push(`root HTTP route ${name} must not specify route`);
    return complaints;
  }
  if (delegate && route.delegate) complaints.push('delegate HTTP route cannot contain delegate');
  if (redirect) {
    if (routes > 0) complaints.push('HTTP route cannot contain both route and redirect');
    if (fault) complaints.push('HTTP route cannot contain both fault and redirect');
    if (rewrite) complaints.push('HTTP route rule cannot contain both rewrite and redirect');
    if (directResponse) complaints.push('HTTP route rule cannot contain both direct_response and redirect');
  } else if (directResponse) {
    if (routes > 0) complaints.push('HTTP route cannot contain both route and direct_response');
    if (fault) complaints.push('HTTP route cannot contain both fault and direct_response');
    if (rewrite) complaints.push('HTTP route rule cannot contain both rewrite and direct_response');
  } else if (routes === 0) complaints.push('HTTP route, redirect or direct_response is required');
  return complaints;
}

function stringMatch(match: istio.StringMatch | undefined, where: string, noRegex: boolean): Complaints {
  if (!match) return [];
  if (match.regex !== undefined) {
    return noRegex
      ? [`${where} match does not support regex match for delegating`]
      : regexpComplaints(match.regex, where);
  }
  return match.prefix === '' ? [`${quote(where)}: prefix string match should not be empty`] : [];
}

function matchComplaints(match: istio.HTTPMatchRequest, noRegex: boolean): Complaints {
  const complaints: Complaints = [];
  for (const where of ['uri', 'scheme', 'method', 'authority'] as const) {
    complaints.push(...stringMatch(match[where], noRegex && where === 'uri' ? 'url' : where, noRegex));
  }
  for (const [what, map] of [
    ['headers', match.headers],
    ['withoutHeaders', match.withoutHeaders],
  ] as const) {
    for (const [name, header] of Object.entries(map ?? {})) {
      if (header === null) complaints.push(`header match ${name} cannot be null`);
      else
        complaints.push(...matchHeader(name), ...stringMatch(header, noRegex ? `header match ${name}` : what, noRegex));
    }
  }
  for (const query of Object.values(match.queryParams ?? {})) {
    complaints.push(...stringMatch(query, 'queryParams', noRegex));
  }
  if (match.port) complaints.push(...port(match.port));
  complaints.push(...labels(match.sourceLabels), ...gatewayNames(match.gateways));
  if (match.sourceNamespace && !isDnsLabel(match.sourceNamespace)) {
    complaints.push(`sourceNamespace match ${match.sourceNamespace} is invalid`);
  }
  return complaints;
}

/** `mesh`, `name`, `namespace/name`, or the old form with dots. */
export function gatewayNames(names: readonly string[] | undefined): Complaints {
  return (names ?? []).flatMap((full) => {
    const slash = full.indexOf('/');
    if (slash < 0) return fqdn(full);
    const [namespace, name] = [full.slice(0, slash), full.slice(slash + 1)];
    const complaints: Complaints = [];
    if (namespace === '' || name === '') complaints.push('config namespace and gateway name cannot be empty');
    if (!isDnsLabel(namespace)) complaints.push(`invalid value for namespace: ${quote(namespace)}`);
    if (!isDnsLabel(name)) complaints.push(`invalid value for gateway name: ${quote(name)}`);
    return complaints;
  });
}

function headersComplaints(headers: istio.Headers | undefined): Complaints {
  const complaints: Complaints = [];
  for (const [operations, check] of [
    [headers?.request, writtenRequestHeader],
    [headers?.response, writtenHeader],
  ] as const) {
    for (const [name, value] of [...Object.entries(operations?.add ?? {}), ...Object.entries(operations?.set ?? {})]) {
      complaints.push(...check(name), ...headerValue(value));
    }
    complaints.push(...(operations?.remove ?? []).flatMap(writtenHeader));
  }
  return complaints;
}

/** The authority can be rewritten in one place only. */
function authorityComplaints({ rewrite, headers }: istio.HTTPRoute): Complaints {
  let current = rewrite?.authority ?? '';
  for (const map of [headers?.request?.set, headers?.request?.add]) {
    for (const [name, value] of Object.entries(map ?? {})) {
      if (!isAuthorityHeader(name)) continue;
      if (current !== '') {
        return [
          `authority header cannot be set multiple times: have ${quote(current)}, attempting to set ${quote(value)}`,
        ];
      }
      current = value;
    }
  }
  return [];
}

const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE']);

function corsComplaints(cors: istio.CorsPolicy | undefined): Complaints {
  if (!cors) return [];
  const names = [...(cors.allowHeaders ?? []), ...(cors.exposeHeaders ?? [])].filter((name) => name !== '*');
  return [
    ...(cors.allowOrigins ?? []).flatMap((origin) => {
      const text = origin.exact ?? origin.prefix ?? origin.regex ?? '';
      if (text === '') return ["'' is not a valid match type for CORS allow origins"];
      return stringMatch(origin, 'corsPolicy.allowOrigins', false);
    }),
    ...(cors.allowMethods ?? [])
      .filter((method) => !methods.has(method))
      .map((method) => `${quote(method)} is not a supported HTTP method`),
    ...names.flatMap(matchHeader),
    ...duration(cors.maxAge),
  ];
}

function statusComplaints(status: number | undefined): Complaints {
  if (status === undefined || (status >= 200 && status <= 600)) return [];
  return [`HTTP status ${status} is not in range 200-599`];
}

function faultComplaints(fault: istio.HTTPFaultInjection | undefined): Complaints {
  if (!fault) return [];
  const { abort, delay } = fault;
  const complaints = abort || delay ? [] : ['HTTP fault injection must have an abort and/or a delay'];
  if (abort) {
    complaints.push(...fraction(abort.percentage), ...statusComplaints(abort.httpStatus));
    if (abort.grpcStatus !== undefined && !grpcStatusNames.includes(abort.grpcStatus)) {
      const list = 'https://github.com/grpc/grpc/blob/master/doc/statuscodes.md';
      complaints.push(
        `gRPC status ${quote(abort.grpcStatus)} is not supported. See ${list} for a list of supported codes, for example 'NOT_FOUND'`,
      );
    }
    if (abort.http2Error !== undefined) complaints.push('HTTP/2 abort fault injection not supported yet');
  }
  if (delay) {
    complaints.push(...fraction(delay.percentage), ...duration(delay.fixedDelay), ...duration(delay.exponentialDelay));
    if (delay.exponentialDelay !== undefined) complaints.push('exponentialDelay not supported yet');
  }
  return complaints;
}

function share(value: number | undefined, what: string): Complaints {
  if (value === undefined || (value >= 0 && value <= 100)) return [];
  const [word, bound] = value > 100 ? ['max', 100] : ['min', 0];
  return [`${what} must have a ${word} value of ${bound} (it has ${value.toFixed(6)})`];
}

function mirrorComplaints(route: istio.HTTPRoute): Complaints {
  const { mirrors = [], mirror } = route;
  const complaints: Complaints = [];
  const percentage = route.mirrorPercent ?? route.mirror_percent ?? 0;
  if (percentage > 100) complaints.push(`mirror_percent must have a max value of 100 (it has ${percentage})`);
  complaints.push(...share(route.mirrorPercentage?.value, 'mirror_percentage'));
  if (mirrors.length > 0 && mirror) complaints.push('HTTP route cannot contain both mirror and mirrors');
  for (const policy of mirrors) {
    if (policy.destination) complaints.push(...destinationComplaints(policy.destination));
    else complaints.push('destination is required for mirrors');
    complaints.push(...share(policy.percentage?.value, 'mirror percentage'));
  }
  return [...complaints, ...(mirror ? destinationComplaints(mirror) : [])];
}

function redirectComplaints(redirect: istio.HTTPRedirect | undefined): Complaints {
  if (!redirect) return [];
  const { uri, authority, scheme, redirectCode: code } = redirect;
  const place =
    redirect.port !== undefined || redirect.derivePort !== undefined || redirect.prefixRewrite !== undefined;
  if (!uri && !authority && !scheme && !place) return ['redirect must specify URI, authority, scheme, or port'];
  if (code && (code < 300 || code > 399)) return [`${code} is not a valid redirect code, must be 3xx`];
  if (scheme && scheme !== 'http' && scheme !== 'https') {
    return ['invalid redirect scheme, must be "http" or "https"'];
  }
  return redirect.port ? port(redirect.port) : [];
}

const retryPolicies = new Set([
  '5xx',
  'gateway-error',
  'reset',
  'reset-before-request',
  'connect-failure',
  'retriable-4xx',
  'refused-stream',
  'retriable-status-codes',
  'retriable-headers',
  'envoy-ratelimited',
  'http3-post-connect-failure',
  'cancelled',
  'deadline-exceeded',
  'internal',
  'resource-exhausted',
  'unavailable',
]);

function retryComplaints(retries: istio.HTTPRetry | undefined): Complaints {
  if (!retries) return [];
  const { attempts = 0, perTryTimeout, retryOn, retryRemoteLocalities } = retries;
  const complaints = attempts < 0 ? ['attempts cannot be negative'] : [];
  if (attempts === 0 && (perTryTimeout !== undefined || retryOn || retryRemoteLocalities !== undefined)) {
    complaints.push('http retry policy configured when attempts are set to 0 (disabled)');
  }
  complaints.push(...duration(perTryTimeout), ...duration(retries.backoff));
  for (const policy of retryOn ? retryOn.split(',') : []) {
    const isStatus = /^[1-5]\d\d$/.test(policy);
    if (!isStatus && !retryPolicies.has(policy)) complaints.push(`${quote(policy)} is not a valid retryOn policy`);
  }
  return complaints;
}

function rewriteComplaints(rewrite: istio.HTTPRewrite | undefined): Complaints {
  if (!rewrite) return [];
  const { uri, authority, uriRegexRewrite: regex } = rewrite;
  if (uri && regex) return ['rewrite may only contain one of URI or UriRegexRewrite'];
  if (!uri && !authority && !regex) {
    return [
      'rewrite must specify at least one of URI, UriRegexRewrite, or authority. Only one of URI or UriRegexRewrite may be specified',
    ];
  }
  if (!regex) return [];
  const complaints =
    regex.match && regex.rewrite
      ? regexpComplaints(regex.match, 'HTTPRewrite.UriRegexRewrite.Match')
      : ['UriRegexRewrite requires both Rewrite and Match fields to be specified'];
  return complaints.length === 0 ? [] : [`UriRegexRewrite has errors\n${complaints.join('\n')}`];
}

export function destinationComplaints(destination: istio.Destination): Complaints {
  const { host, subset, port: selector } = destination;
  return [
    ...(host === '*' ? [`invalid destination host ${host}`] : wildcardDomain(host)),
    ...(subset ? subsetName(subset) : []),
    ...(selector ? port(selector.number ?? 0) : []),
  ];
}

interface Weighted {
  destination?: istio.Destination;
  headers?: istio.Headers;
  weight?: number;
}

export function destinationsComplaints(routes: readonly Weighted[]): Complaints {
  const complaints = routes.flatMap(({ destination, headers, weight = 0 }) => [
    ...(destination ? [] : ['destination is required']),
    ...headersComplaints(headers),
    ...(destination ? destinationComplaints(destination) : []),
    ...(weight < 0 ? [`weight ${weight} < 0`] : []),
  ]);
  const total = routes.reduce((sum, route) => sum + (route.weight ?? 0), 0);
  if (routes.length > 1 && total === 0) complaints.push('total destination weight = 0');
  return complaints;
}
