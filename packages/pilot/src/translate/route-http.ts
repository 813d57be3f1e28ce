import type { istio } from '@flotilla/api';
import type { Route } from '@flotilla/xds';
import { selects } from '../model/snapshot.js';
import { defaults } from './durations.js';
import { configPath, meshGateway } from './names.js';
import { directResponse, forward, type Place, redirect } from './route-action.js';
import { perRouteFilters } from './route-filters.js';
import { headerEdits } from './route-headers.js';
import { isCatchAll, routeMatch } from './route-match.js';
import { retryPolicy } from './route-retry.js';
import { resolveGateway, type Routing, type Scope } from './scope.js';

export interface RouteOptions {
  /** The port that requests come in on, as rules name it. */
  readonly listenPort: number;
  /** The gateways that the proxy acts as: `mesh`, or `namespace/name`. */
  readonly gateways: ReadonlySet<string>;
  /** Whether requests came over TLS. */
  readonly tls: boolean;
}

/** The HTTP routes of a VirtualService, in order, up to the first that takes everything. */
export function httpRoutes(scope: Scope, rule: Routing, options: RouteOptions): Route[] {
  const routes: Route[] = [];
  for (const http of rule.spec.http ?? []) {
    const matches = http.match?.length ? http.match : [undefined];
    for (const match of matches) {
      const route = httpRoute(scope, rule, http, match, options);
      if (!route) continue;
      routes.push(route);
      if (isCatchAll(route.match!)) return routes;
    }
    if (!http.match?.length) return routes;
  }
  return routes;
}

/** Conditions on the proxy are decided here, those on the request by the proxy. */
function concernsProxy(
  scope: Scope,
  rule: Routing,
  match: istio.HTTPMatchRequest | undefined,
  options: RouteOptions,
): boolean {
  if (!match) return true;
  if (match.port && match.port !== options.listenPort) return false;
  if (match.gateways?.length) {
    return match.gateways.some((name) => options.gateways.has(resolveGateway(name, rule.namespace)));
  }
  if (!selects(match.sourceLabels, scope.labels)) return false;
  return !match.sourceNamespace || match.sourceNamespace === scope.namespace;
}

function httpRoute(
  scope: Scope,
  rule: Routing,
  http: istio.HTTPRoute,
  match: istio.HTTPMatchRequest | undefined,
  options: RouteOptions,
): Route | undefined {
  if (!concernsProxy(scope, rule, match, options)) return undefined;
  if (http.delegate) {
    scope.problems.add('VirtualService', rule, 'delegate is not supported yet; the route is left out');
    return undefined;
  }
  const route: Route = {
    match: routeMatch(match, rule.fromIngress === true),
    metadata: { filter_metadata: { istio: { config: configPath('virtual-service', rule) } } },
  };
  const name = [http.name, match?.name].filter(Boolean).join('.');
  if (name) route.name = name;
  if (match?.statPrefix) route.stat_prefix = match.statPrefix;
  applyAction(route, { scope, namespace: rule.namespace, listenPort: options.listenPort }, http, options.tls);
  const perFilter = perRouteFilters(http);
  if (perFilter) route.typed_per_filter_config = perFilter;
  return route;
}

function applyAction(route: Route, place: Place, http: istio.HTTPRoute, tls: boolean): void {
  const edits = headerEdits(http.headers);
  Object.assign(route, edits.edits);
  if (http.redirect) {
    const action = redirect(http.redirect, place.listenPort, tls);
    if (action) route.redirect = action;
    // A route without an action is refused by the proxy; answering is what is left.
    else route.direct_response = { status: 500 };
  } else if (http.directResponse) {
    route.direct_response = directResponse(http.directResponse);
  } else {
    const forwarding = forward(place, http, edits);
    Object.assign(route, forwarding.edits);
    route.route = forwarding.action;
  }
}

/** The route of a service without a VirtualService. */
export function defaultRoute(cluster: string, hash: NonNullable<Route['route']>['hash_policy']): Route {
  const retries = retryPolicy(undefined, hash !== undefined);
  return {
    name: 'default',
    match: { prefix: '/' },
    route: {
      cluster,
      timeout: defaults.noTimeout,
      ...(retries ? { retry_policy: retries } : {}),
      ...(hash ? { hash_policy: hash } : {}),
    },
  };
}

export const forMesh: ReadonlySet<string> = new Set([meshGateway]);
