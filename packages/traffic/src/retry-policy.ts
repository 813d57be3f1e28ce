import { durationMs, type RetryPolicy as RetryPolicyConfig } from '@flotilla/xds';
import type { HeaderList } from './headers.js';
import { refuse } from './invalid.js';
import { compileHeaderMatchers, type HeaderTest } from './matchers.js';

/** The conditions of `retry_on` and `x-envoy-retry-on`, and of their gRPC kin. Unknown words are ignored, as upstream. */
export type RetryCondition =
  | '5xx'
  | 'gateway-error'
  | 'reset'
  | 'reset-before-request'
  | 'connect-failure'
  | 'envoy-ratelimited'
  | 'retriable-4xx'
  | 'refused-stream'
  | 'retriable-status-codes'
  | 'retriable-headers'
  | 'cancelled'
  | 'deadline-exceeded'
  | 'internal'
  | 'resource-exhausted'
  | 'unavailable';

export interface RetryPolicy {
  conditions: ReadonlySet<string>;
  /** How many tries may follow the first. */
  retries: number;
  /** Milliseconds for one try, until its response starts; 0 is none. */
  perTryTimeout: number;
  retriableStatuses: ReadonlySet<number>;
  /** Response headers that ask for a retry under `retriable-headers`. */
  retriableHeaders: readonly HeaderTest[];
  /** If any: only requests that match one of them are retried. */
  requestHeaders: readonly HeaderTest[];
  /** Milliseconds. */
  backoff: { base: number; max: number };
  /** Where the server says how long to wait. */
  rateLimited?: { headers: readonly { name: string; unix: boolean }[]; max: number };
  /** Hosts already tried are avoided, in this many picks. */
  avoidPreviousHosts: boolean;
  hostAttempts: number;
}

const previousHosts = /previous_hosts|PreviousHostsPredicate/;

export function conditionsOf(text: string | undefined): Set<string> {
  return new Set(
    (text ?? '')
      .split(',')
      .map((word) => word.trim())
      .filter(Boolean),
  );
}

export function compileRetryPolicy(config: RetryPolicyConfig, path: string): RetryPolicy {
  refuse(path, config, ['retry_priority', 'retry_options_predicates', 'per_try_idle_timeout']);
  const predicates = config.retry_host_predicate ?? [];
  const base = durationMs(config.retry_back_off?.base_interval) ?? 25;
  const limited = config.rate_limited_retry_back_off;
  const policy: RetryPolicy = {
    conditions: conditionsOf(config.retry_on),
    retries: config.num_retries ?? 1,
    perTryTimeout: durationMs(config.per_try_timeout) ?? 0,
    retriableStatuses: new Set(config.retriable_status_codes),
    retriableHeaders: compileHeaderMatchers(config.retriable_headers, `${path}.retriable_headers`),
    requestHeaders: compileHeaderMatchers(config.retriable_request_headers, `${path}.retriable_request_headers`),
    backoff: { base, max: durationMs(config.retry_back_off?.max_interval) ?? base * 10 },
    avoidPreviousHosts: predicates.some((p) => previousHosts.test(`${p.name ?? ''} ${p.typed_config?.type_url ?? ''}`)),
    hostAttempts: config.host_selection_retry_max_attempts || 1,
  };
  if (limited) {
    const headers = (limited.reset_headers ?? []).map((h) => ({
      name: (h.name ?? '').toLowerCase(),
      unix: h.format === 'UNIX_TIMESTAMP',
    }));
    policy.rateLimited = { headers, max: durationMs(limited.max_interval) ?? 300_000 };
  }
  return policy;
}

const empty: RetryPolicy = {
  conditions: new Set(),
  retries: 1,
  perTryTimeout: 0,
  retriableStatuses: new Set(),
  retriableHeaders: [],
  requestHeaders: [],
  backoff: { base: 25, max: 250 },
  avoidPreviousHosts: false,
  hostAttempts: 1,
};

/**
 * The route's policy with what the request itself asks for: `x-envoy-retry-on`, `x-envoy-retry-grpc-on`,
 * `x-envoy-max-retries`, `x-envoy-retriable-status-codes`, `x-envoy-upstream-rq-per-try-timeout-ms`.
 */
export function policyFor(request: HeaderList, route: RetryPolicy | undefined): RetryPolicy | undefined {
  const on = [request.get('x-envoy-retry-on'), request.get('x-envoy-retry-grpc-on')].filter((v) => v !== undefined);
  const perTry = wholeNumber(request.get('x-envoy-upstream-rq-per-try-timeout-ms'));
  const most = wholeNumber(request.get('x-envoy-max-retries'));
  if (on.length === 0 && perTry === undefined && most === undefined) return route;
  const policy = { ...(route ?? empty) };
  if (on.length > 0)
    policy.conditions = new Set([...policy.conditions, ...on.flatMap((text) => [...conditionsOf(text)])]);
  const statuses = request.get('x-envoy-retriable-status-codes');
  if (statuses) policy.retriableStatuses = new Set([...policy.retriableStatuses, ...statuses.split(',').map(Number)]);
  if (most !== undefined) policy.retries = most;
  if (perTry !== undefined) policy.perTryTimeout = perTry;
  return policy;
}

export function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}
