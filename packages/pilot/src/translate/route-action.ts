import type { istio } from '@flotilla/api';
import type {
  DirectResponseAction,
  RedirectAction,
  RedirectAction_RedirectResponseCode,
  RouteAction,
  RouteAction_HashPolicy,
  RouteAction_RequestMirrorPolicy,
  WeightedCluster_ClusterWeight,
} from '@flotilla/xds';
import { resolveHost } from '../model/host.js';
import { defaults, durationOf } from './durations.js';
import { outboundCluster } from './names.js';
import { type HeaderEdits, headerEdits, joinEdits } from './route-headers.js';
import { fraction } from './route-filters.js';
import { retryPolicy } from './route-retry.js';
import { policyFor } from './rules.js';
import type { Scope } from './scope.js';

/** Where a rule of `namespace` sends requests that came in on `listenPort`. */
export interface Place {
  readonly scope: Scope;
  readonly namespace: string;
  readonly listenPort: number;
}

/** The cluster of a destination: its port, else the service's only one, else the one that was asked for. */
export function destinationCluster({ scope, namespace, listenPort }: Place, destination: istio.Destination): string {
  const hostname = resolveHost(destination.host, namespace, scope.config.domain);
  const service = scope.service(hostname);
  const only = service?.ports.length === 1 ? service.ports[0]!.port : undefined;
  const port = destination.port?.number ?? only ?? listenPort;
  return outboundCluster(port, destination.subset ?? '', hostname);
}

/** Forwarding to the destinations of a rule, with the header edits that belong to the route. */
export function forward(
  place: Place,
  http: istio.HTTPRoute,
  routeEdits: { edits: HeaderEdits; authority: string | undefined },
): { action: RouteAction; edits: HeaderEdits } {
  const action: RouteAction = { timeout: durationOf(http.timeout) ?? defaults.noTimeout };
  const destinations = http.route ?? [];
  let { edits } = routeEdits;
  let authority = http.rewrite?.authority ?? routeEdits.authority;
  const [only] = destinations;
  if (destinations.length === 1 && only) {
    action.cluster = destinationCluster(place, only.destination);
    const own = headerEdits(only.headers);
    edits = joinEdits(edits, own.edits);
    authority ??= own.authority;
  } else {
    const weighted = destinations.filter(({ weight }) => (weight ?? 0) > 0);
    action.weighted_clusters = { clusters: weighted.map((destination) => clusterWeight(place, destination)) };
  }
  if (authority) action.host_rewrite_literal = authority;
  applyRewrite(action, http.rewrite);
  const mirrors = mirrorPolicies(place, http);
  if (mirrors.length > 0) action.request_mirror_policies = mirrors;
  const hashes = destinations.flatMap(({ destination }) => hashPolicy(place, destination) ?? []);
  if (hashes.length > 0) action.hash_policy = hashes;
  const retries = retryPolicy(http.retries, hashes.length > 0);
  if (retries) action.retry_policy = retries;
  return { action, edits };
}

function clusterWeight(place: Place, destination: istio.HTTPRouteDestination): WeightedCluster_ClusterWeight {
  const { edits, authority } = headerEdits(destination.headers);
  const out: WeightedCluster_ClusterWeight = {
    name: destinationCluster(place, destination.destination),
    weight: destination.weight ?? 0,
    ...edits,
  };
  if (authority) out.host_rewrite_literal = authority;
  return out;
}

function applyRewrite(action: RouteAction, rewrite: istio.HTTPRewrite | undefined): void {
  if (rewrite?.uriRegexRewrite) {
    const { match = '', rewrite: substitution = '' } = rewrite.uriRegexRewrite;
    action.regex_rewrite = { pattern: { regex: match }, substitution };
  } else if (rewrite?.uri) {
    action.prefix_rewrite = rewrite.uri;
  }
}

function mirrorPolicies(place: Place, http: istio.HTTPRoute): RouteAction_RequestMirrorPolicy[] {
  const mirrors = (http.mirrors ?? []).map(({ destination, percentage }) => ({
    destination,
    percent: percentage?.value,
  }));
  if (http.mirror) {
    const percent = http.mirrorPercentage
      ? (http.mirrorPercentage.value ?? 0)
      : (http.mirrorPercent ?? http.mirror_percent);
    mirrors.unshift({ destination: http.mirror, percent });
  }
  return mirrors
    .filter(({ percent }) => percent === undefined || percent > 0)
    .map(({ destination, percent = 100 }) => ({
      cluster: destinationCluster(place, destination),
      runtime_fraction: { default_value: fraction(percent) },
    }));
}

/** What a consistent-hash rule for the destination hashes by. */
function hashPolicy(
  { scope, namespace, listenPort }: Place,
  destination: istio.Destination,
): RouteAction_HashPolicy | undefined {
  const service = scope.service(resolveHost(destination.host, namespace, scope.config.domain));
  if (!service) return undefined;
  const rule = scope.rule(service);
  const subset = rule?.subsets.find(({ name }) => name === destination.subset);
  const port = destination.port?.number ?? (service.ports.length === 1 ? service.ports[0]!.port : listenPort);
  return consistentHash(policyFor(rule, subset, port).loadBalancer?.consistentHash);
}

export function consistentHash(hash: istio.ConsistentHashLB | undefined): RouteAction_HashPolicy | undefined {
  if (!hash) return undefined;
  if (hash.httpHeaderName) return { header: { header_name: hash.httpHeaderName } };
  if (hash.httpQueryParameterName) return { query_parameter: { name: hash.httpQueryParameterName } };
  if (hash.useSourceIp) return { connection_properties: { source_ip: true } };
  if (!hash.httpCookie) return undefined;
  const { name, path, ttl } = hash.httpCookie;
  const time = durationOf(ttl);
  return { cookie: { name, ...(path === undefined ? {} : { path }), ...(time === undefined ? {} : { ttl: time }) } };
}

const redirectCodes: Readonly<Record<number, RedirectAction_RedirectResponseCode>> = {
  0: 'MOVED_PERMANENTLY',
  301: 'MOVED_PERMANENTLY',
  302: 'FOUND',
  303: 'SEE_OTHER',
  307: 'TEMPORARY_REDIRECT',
  308: 'PERMANENT_REDIRECT',
};

/** A redirect; undefined for a status code that redirects cannot have. */
export function redirect(rule: istio.HTTPRedirect, listenPort: number, tls: boolean): RedirectAction | undefined {
  const code = redirectCodes[rule.redirectCode ?? 0];
  if (!code) return undefined;
  const out: RedirectAction = { response_code: code };
  if (rule.authority) out.host_redirect = rule.authority;
  if (rule.uri) out.path_redirect = rule.uri;
  else if (rule.prefixRewrite) out.prefix_rewrite = rule.prefixRewrite;
  if (rule.scheme) out.scheme_redirect = rule.scheme;
  const port = rule.port ?? (rule.derivePort === 'FROM_REQUEST_PORT' ? listenPort : 0);
  const usual = (rule.scheme ?? (tls ? 'https' : 'http')) === 'https' ? 443 : 80;
  if (port !== 0 && port !== usual) out.port_redirect = port;
  return out;
}

export function directResponse({ status, body }: istio.HTTPDirectResponse): DirectResponseAction {
  if (body?.string !== undefined) return { status, body: { inline_string: body.string } };
  if (body?.bytes !== undefined) return { status, body: { inline_bytes: fromBase64(body.bytes) } };
  return { status };
}

function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
}
