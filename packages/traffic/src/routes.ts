import type { Random } from '@flotilla/base';
import type { DirectResponseAction, Route as RouteConfig, RouteConfiguration, VirtualHost } from '@flotilla/xds';
import { DomainTable, stripPort } from './domains.js';
import { compileOverrides, type FilterOverrides } from './filter-config.js';
import { chainEdits, compileHeaderEdit, type HeaderEdit } from './header-edit.js';
import type { RequestHeaders } from './headers.js';
import { InvalidConfig, refuse } from './invalid.js';
import { compileRedirect, type Redirect } from './redirect.js';
import { compileForward, type Forward } from './route-action.js';
import { type CompiledMatch, compileRouteMatch } from './route-match.js';

export interface DirectResponse {
  kind: 'direct';
  status: number;
  body: string;
}

export type Action = Forward | Redirect | DirectResponse;

/** One route, ready to use. */
export interface Route {
  name: string;
  virtualHost: string;
  action: Action;
  /** Header changes of route, virtual host and configuration, most specific first (the weight's come before). */
  editRequest: HeaderEdit | undefined;
  editResponse: HeaderEdit | undefined;
  /** Per-filter configuration; the route's own hides the virtual host's, and that the configuration's. */
  overrides: FilterOverrides;
  decorator: { operation: string; propagate: boolean } | undefined;
}

/** A compiled RouteConfiguration. */
export interface Routes {
  name: string;
  /** The route of a request, or undefined for none. */
  find(request: RequestHeaders, random: Random): Route | undefined;
  /** Every cluster that a route names. */
  clusters: ReadonlySet<string>;
}

interface Entry {
  match: CompiledMatch;
  route: Route;
}

interface Host {
  entries: readonly Entry[];
  toHttps: Route | undefined;
}

/** Throws InvalidConfig with the path of the field that this proxy cannot honour. */
export function compileRoutes(config: RouteConfiguration): Routes {
  refuse('', config, ['vhds', 'cluster_specifier_plugins', 'ignore_path_parameters_in_path_matching']);
  const table = new DomainTable<Host>();
  const clusters = new Set<string>();
  for (const [i, host] of (config.virtual_hosts ?? []).entries()) {
    const path = `virtual_hosts[${i}]`;
    const compiled = compileHost(config, host, path);
    for (const { route } of compiled.entries) {
      if (route.action.kind === 'forward') for (const name of route.action.clusters.names) clusters.add(name);
    }
    if (!host.domains?.length) throw new InvalidConfig(`${path}.domains`, 'at least one domain is required');
    for (const [j, domain] of host.domains.entries()) table.add(domain, compiled, `${path}.domains[${j}]`);
  }
  const hostOf = config.ignore_port_in_host_matching ? stripPort : (authority: string) => authority;
  return {
    name: config.name ?? '',
    clusters,
    find(request, random) {
      const host = table.find(hostOf(request.authority));
      if (!host) return undefined;
      if (host.toHttps && (request.get('x-forwarded-proto') ?? request.scheme) !== 'https') return host.toHttps;
      for (const { match, route } of host.entries) if (match.matches(request, random)) return route;
      return undefined;
    },
  };
}

function compileHost(config: RouteConfiguration, host: VirtualHost, path: string): Host {
  refuse(path, host, [
    'matcher',
    'rate_limits',
    'cors',
    'retry_policy_typed_config',
    'hedge_policy',
    'include_is_timeout_retry_header',
  ]);
  const overrides = {
    ...compileOverrides(config.typed_per_filter_config, ''),
    ...compileOverrides(host.typed_per_filter_config, path),
  };
  const entries = (host.routes ?? []).map((route, i) =>
    compileRoute(config, host, route, overrides, `${path}.routes[${i}]`),
  );
  const https = host.require_tls && host.require_tls !== 'NONE';
  if (!https) return { entries, toHttps: undefined };
  const action = compileRedirect({ https_redirect: true }, undefined, path);
  const none = { editRequest: undefined, editResponse: undefined, overrides: {}, decorator: undefined };
  return { entries, toHttps: { name: '', virtualHost: host.name ?? '', action, ...none } };
}

function compileRoute(
  config: RouteConfiguration,
  host: VirtualHost,
  route: RouteConfig,
  inherited: FilterOverrides,
  path: string,
): Entry {
  if (!route.match) throw new InvalidConfig(`${path}.match`, 'a match is required');
  const match = compileRouteMatch(route.match, `${path}.match`);
  const levels = [route, host, config];
  if (config.most_specific_header_mutations_wins) levels.reverse();
  const decorator = route.decorator?.operation;
  return {
    match,
    route: {
      name: route.name ?? '',
      virtualHost: host.name ?? '',
      action: compileAction(config, host, route, match, path),
      editRequest: chainEdits(
        levels.map((l) =>
          compileHeaderEdit(l.request_headers_to_add, l.request_headers_to_remove, `${path}.request_headers`),
        ),
      ),
      editResponse: chainEdits(
        levels.map((l) =>
          compileHeaderEdit(l.response_headers_to_add, l.response_headers_to_remove, `${path}.response_headers`),
        ),
      ),
      overrides: { ...inherited, ...compileOverrides(route.typed_per_filter_config, path) },
      decorator: decorator ? { operation: decorator, propagate: route.decorator?.propagate ?? true } : undefined,
    },
  };
}

function compileAction(
  config: RouteConfiguration,
  host: VirtualHost,
  route: RouteConfig,
  match: CompiledMatch,
  path: string,
): Action {
  refuse(path, route, ['filter_action', 'non_forwarding_action']);
  const { prefix } = match.path;
  if (route.route) return compileForward(route.route, prefix, host, config.request_mirror_policies, `${path}.route`);
  if (route.redirect) return compileRedirect(route.redirect, prefix, `${path}.redirect`);
  if (route.direct_response) return compileDirect(route.direct_response, `${path}.direct_response`);
  throw new InvalidConfig(path, 'an action is required');
}

function compileDirect(action: DirectResponseAction, path: string): DirectResponse {
  const status = action.status ?? 0;
  if (status < 200 || status > 599) throw new InvalidConfig(`${path}.status`, 'must be inside range [200, 600)');
  refuse(`${path}.body`, action.body ?? {}, ['filename', 'environment_variable']);
  const bytes = action.body?.inline_bytes;
  return { kind: 'direct', status, body: action.body?.inline_string ?? (bytes ? new TextDecoder().decode(bytes) : '') };
}
