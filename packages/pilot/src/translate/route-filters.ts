import { grpcStatusNames, type istio } from '@flotilla/api';
import { type Any, type CorsPolicy, type FractionalPercent, type HTTPFault, pack } from '@flotilla/xds';
import { durationOf } from './durations.js';
import { filters } from './names.js';
import { stringMatcher } from './route-match.js';

/** What a rule configures of HTTP filters for one route. */
export function perRouteFilters(http: istio.HTTPRoute): Record<string, Any> | undefined {
  const out: Record<string, Any> = {};
  if (http.fault) out[filters.fault] = pack('envoy.extensions.filters.http.fault.v3.HTTPFault', fault(http.fault));
  if (http.corsPolicy) {
    out[filters.cors] = pack('envoy.extensions.filters.http.cors.v3.CorsPolicy', cors(http.corsPolicy));
  }
  return Object.keys(out).length > 0 ? out : undefined;
}

/** A percentage with four decimals, as Istio translates it. */
export function fraction(percent: number): FractionalPercent {
  return { numerator: Math.trunc(percent * 10_000), denominator: 'MILLION' };
}

function fault({ delay, abort }: istio.HTTPFaultInjection): HTTPFault {
  const out: HTTPFault = {};
  const fixed = durationOf(delay?.fixedDelay);
  // Without a percentage nothing is delayed or aborted (API reference: "if not specified, no request will be").
  if (delay && fixed) {
    const percentage = delay.percentage ? fraction(delay.percentage.value ?? 0) : wholePercent(delay.percent ?? 0);
    out.delay = { fixed_delay: fixed, percentage };
  }
  if (abort) {
    const percentage = fraction(abort.percentage?.value ?? 0);
    if (abort.httpStatus !== undefined) out.abort = { http_status: abort.httpStatus, percentage };
    else if (abort.grpcStatus !== undefined) out.abort = { grpc_status: grpcCode(abort.grpcStatus), percentage };
  }
  return out;
}

function wholePercent(numerator: number): FractionalPercent {
  return { numerator, denominator: 'HUNDRED' };
}

function grpcCode(name: string): number {
  const code = /^\d+$/.test(name) ? Number(name) : grpcStatusNames.indexOf(name.toUpperCase());
  return code < 0 ? 2 : code;
}

function cors(policy: istio.CorsPolicy): CorsPolicy {
  const out: CorsPolicy = {
    filter_enabled: { default_value: wholePercent(100) },
    forward_not_matching_preflights: policy.unmatchedPreflights !== 'IGNORE',
  };
  const origins = policy.allowOrigins ?? policy.allowOrigin?.map((exact) => ({ exact }));
  if (origins) out.allow_origin_string_match = origins.map(stringMatcher);
  if (policy.allowCredentials !== undefined) out.allow_credentials = policy.allowCredentials;
  if (policy.allowHeaders) out.allow_headers = policy.allowHeaders.join(',');
  if (policy.allowMethods) out.allow_methods = policy.allowMethods.join(',');
  if (policy.exposeHeaders) out.expose_headers = policy.exposeHeaders.join(',');
  const maxAge = durationOf(policy.maxAge);
  if (maxAge) out.max_age = String(maxAge.seconds ?? 0);
  return out;
}
