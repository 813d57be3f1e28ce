import type { CorsPolicy } from '@flotilla/xds';
import type { HeaderList, RequestHeaders } from './headers.js';
import { compileStringMatcher, type TextTest } from './matchers.js';
import { runtimeFraction } from './values.js';

/** envoy.filters.http.cors, compiled. */
export interface Cors {
  enabled: boolean;
  origins: readonly TextTest[];
  allowMethods: string;
  allowHeaders: string;
  exposeHeaders: string;
  maxAge: string;
  credentials: boolean;
  privateNetwork: boolean;
  forwardOtherPreflights: boolean;
}

export function compileCors(config: CorsPolicy, path: string): Cors {
  return {
    enabled: runtimeFraction(config.filter_enabled) > 0,
    origins: (config.allow_origin_string_match ?? []).map((m, i) =>
      compileStringMatcher(m, `${path}.allow_origin_string_match[${i}]`),
    ),
    allowMethods: config.allow_methods ?? '',
    allowHeaders: config.allow_headers ?? '',
    exposeHeaders: config.expose_headers ?? '',
    maxAge: config.max_age ?? '',
    credentials: config.allow_credentials ?? false,
    privateNetwork: config.allow_private_network_access ?? false,
    forwardOtherPreflights: config.forward_not_matching_preflights ?? true,
  };
}

export type CorsDecision =
  /** Not a cross-origin request that the policy speaks of. */
  | { kind: 'pass' }
  /** Answer the preflight with 200 and these headers. */
  | { kind: 'preflight'; headers: [string, string][] }
  /** Forward, and add these headers to the response. */
  | { kind: 'allow'; headers: [string, string][] };

export function decideCors(cors: Cors, request: RequestHeaders): CorsDecision {
  const origin = request.get('origin');
  if (!cors.enabled || !origin) return { kind: 'pass' };
  const preflight = request.method === 'OPTIONS' && request.has('access-control-request-method');
  const allowed = cors.origins.some((test) => test(origin));
  if (!allowed) {
    return preflight && !cors.forwardOtherPreflights ? { kind: 'preflight', headers: [] } : { kind: 'pass' };
  }
  const headers: [string, string][] = [['access-control-allow-origin', origin]];
  if (cors.credentials) headers.push(['access-control-allow-credentials', 'true']);
  if (!preflight) {
    if (cors.exposeHeaders) headers.push(['access-control-expose-headers', cors.exposeHeaders]);
    return { kind: 'allow', headers };
  }
  // "*" is of no use to a browser that sends credentials: it is told what it asked for.
  const methods = cors.allowMethods === '*' ? request.get('access-control-request-method')! : cors.allowMethods;
  const names = cors.allowHeaders === '*' ? (request.get('access-control-request-headers') ?? '') : cors.allowHeaders;
  if (methods) headers.push(['access-control-allow-methods', methods]);
  if (names) headers.push(['access-control-allow-headers', names]);
  if (cors.maxAge) headers.push(['access-control-max-age', cors.maxAge]);
  if (cors.privateNetwork && request.get('access-control-request-private-network') === 'true') {
    headers.push(['access-control-allow-private-network', 'true']);
  }
  return { kind: 'preflight', headers };
}

export function applyCors(decision: CorsDecision, response: HeaderList): void {
  if (decision.kind === 'pass') return;
  for (const [name, value] of decision.headers) response.set(name, value);
}
