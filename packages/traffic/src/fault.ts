import type { Random } from '@flotilla/base';
import { durationMs, type HTTPFault } from '@flotilla/xds';
import type { RequestHeaders } from './headers.js';
import { InvalidConfig, refuse } from './invalid.js';
import { compileHeaderMatchers, type HeaderTest } from './matchers.js';
import { wholeNumber } from './retry-policy.js';
import { fraction, happens } from './values.js';

/** envoy.filters.http.fault, compiled. */
export interface FaultPolicy {
  /** `ms` undefined: the request's `x-envoy-fault-delay-request` says. */
  delay?: { ms: number | undefined; share: number };
  /** `status` undefined: the request's `x-envoy-fault-abort-request` (or `-grpc-request`) says. */
  abort?: { status: number | undefined; grpcStatus: number | undefined; share: number };
  upstreamCluster: string;
  headers: readonly HeaderTest[];
  /** Of the calling node's service cluster, `x-envoy-downstream-service-node`. */
  downstreamNodes: ReadonlySet<string>;
  maxActive: number;
}

export interface FaultDecision {
  /** Milliseconds; absent for none. */
  delay?: number;
  abort?: { status: number; grpcStatus?: number };
}

export function compileFault(config: HTTPFault, path: string): FaultPolicy {
  refuse(path, config, ['response_rate_limit']);
  const policy: FaultPolicy = {
    upstreamCluster: config.upstream_cluster ?? '',
    headers: compileHeaderMatchers(config.headers, `${path}.headers`),
    downstreamNodes: new Set(config.downstream_nodes),
    maxActive: config.max_active_faults ?? Number.POSITIVE_INFINITY,
  };
  const { delay, abort } = config;
  if (delay) {
    if (!delay.fixed_delay && !delay.header_delay) throw new InvalidConfig(`${path}.delay`, 'a delay is required');
    policy.delay = { ms: durationMs(delay.fixed_delay), share: fraction(delay.percentage) };
  }
  if (abort) {
    const status = abort.http_status;
    if (status !== undefined && (status < 200 || status >= 600)) {
      throw new InvalidConfig(`${path}.abort.http_status`, 'must be inside range [200, 600)');
    }
    policy.abort = { status, grpcStatus: abort.grpc_status, share: fraction(abort.percentage) };
  }
  return policy;
}

/**
 * Whether this request is hurt, and how. `active` counts the faults under way in this filter. Both dice are thrown at
 * once; the abort happens after the delay.
 */
export function decideFault(
  policy: FaultPolicy,
  request: RequestHeaders,
  cluster: string,
  active: number,
  random: Random,
): FaultDecision {
  if (policy.upstreamCluster && policy.upstreamCluster !== cluster) return {};
  if (
    policy.downstreamNodes.size > 0 &&
    !policy.downstreamNodes.has(request.get('x-envoy-downstream-service-node') ?? '')
  ) {
    return {};
  }
  if (!policy.headers.every((test) => test(request)) || active >= policy.maxActive) return {};
  const decision: FaultDecision = {};
  const { delay, abort } = policy;
  if (delay) {
    const ms = delay.ms ?? wholeNumber(request.get('x-envoy-fault-delay-request'));
    const share = delay.ms === undefined ? headerShare(request, 'delay', delay.share) : delay.share;
    if (ms && happens(share, random)) decision.delay = ms;
  }
  if (abort) {
    const found = abortStatus(abort, request);
    const fixed = abort.status !== undefined || abort.grpcStatus !== undefined;
    if (found && happens(fixed ? abort.share : headerShare(request, 'abort', abort.share), random))
      decision.abort = found;
  }
  return decision;
}

function abortStatus(abort: NonNullable<FaultPolicy['abort']>, request: RequestHeaders): FaultDecision['abort'] {
  if (abort.status !== undefined) return { status: abort.status };
  if (abort.grpcStatus !== undefined) return { status: 200, grpcStatus: abort.grpcStatus };
  const http = wholeNumber(request.get('x-envoy-fault-abort-request'));
  if (http !== undefined && http >= 200 && http < 600) return { status: http };
  const grpc = wholeNumber(request.get('x-envoy-fault-abort-grpc-request'));
  return grpc === undefined ? undefined : { status: 200, grpcStatus: grpc };
}

/** A request may lower the share, in percent, never raise it. */
function headerShare(request: RequestHeaders, what: 'delay' | 'abort', configured: number): number {
  const asked = wholeNumber(request.get(`x-envoy-fault-${what}-request-percentage`));
  return asked === undefined ? configured : Math.min(configured, asked / 100);
}
