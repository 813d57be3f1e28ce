import type { istio } from '@flotilla/api';
import { pack, type RetryPolicy } from '@flotilla/xds';
import { durationOf } from './durations.js';
import { filters } from './names.js';

/** Packed on first use: nothing is encoded while the module loads. */
let previousHosts: RetryPolicy['retry_host_predicate'];

function preferOtherHosts(): RetryPolicy['retry_host_predicate'] {
  previousHosts ??= [
    {
      name: filters.previousHosts,
      typed_config: pack('envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate', {}),
    },
  ];
  return previousHosts;
}

/**
 * Istio's retry policy: two retries of what certainly did not reach a server, on other hosts first. `attempts: 0` switches
 * retries off. With consistent hashing the same host is tried again, since another would not have the state.
 */
export function retryPolicy(retries: istio.HTTPRetry | undefined, hashed: boolean): RetryPolicy | undefined {
  const policy: RetryPolicy = {
    retry_on: 'connect-failure,refused-stream,unavailable,cancelled',
    num_retries: 2,
    host_selection_retry_max_attempts: 5,
  };
  const others = retries?.retryIgnorePreviousHosts ?? !hashed;
  if (others) policy.retry_host_predicate = preferOtherHosts();
  if (!retries) return policy;
  if (!retries.attempts || retries.attempts <= 0) return undefined;
  policy.num_retries = retries.attempts;
  if (retries.retryOn) Object.assign(policy, retryOn(retries.retryOn));
  const perTry = durationOf(retries.perTryTimeout);
  if (perTry) policy.per_try_timeout = perTry;
  const backoff = durationOf(retries.backoff);
  if (backoff) policy.retry_back_off = { base_interval: backoff };
  return policy;
}

/** Status codes among the conditions are Istio's short form of `retriable-status-codes`. */
function retryOn(text: string): Pick<RetryPolicy, 'retry_on' | 'retriable_status_codes'> {
  const parts = text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  const codes = parts.filter((part) => /^[1-5]\d\d$/.test(part)).map(Number);
  const conditions = parts.filter((part) => !/^\d+$/.test(part));
  if (codes.length === 0) return { retry_on: conditions.join(',') };
  if (!conditions.includes('retriable-status-codes')) conditions.push('retriable-status-codes');
  return { retry_on: conditions.join(','), retriable_status_codes: codes };
}

/** Towards the proxy's own application: a connection that closed before it took the request. */
export const inboundRetryPolicy: RetryPolicy = { retry_on: 'reset-before-request', num_retries: 2 };
