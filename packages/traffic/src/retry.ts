import type { Random } from '@flotilla/base';
import type { HeaderList, RequestHeaders } from './headers.js';
import { wholeNumber, type RetryPolicy } from './retry-policy.js';

/** Why an attempt ended without a response; Envoy's StreamResetReason plus the per-try timeout. */
export type ResetReason =
  | 'local connection failure'
  | 'remote connection failure'
  | 'connection timeout'
  | 'connection termination'
  | 'remote reset'
  | 'remote refused stream reset'
  | 'local reset'
  | 'overflow'
  | 'protocol error'
  | 'per try timeout';

export interface Reset {
  reason: ResetReason;
  /** Whether any byte of the request may have reached the upstream. */
  requestSent: boolean;
  /** The connection had served requests before, and died before the first byte of this response. */
  staleConnection: boolean;
}

export type AttemptFailure = { response: { status: number; headers: HeaderList } } | { reset: Reset };

export type RetryVerdict =
  | { retry: true /** Milliseconds to wait first. */; delay: number }
  /** `unsafe`: the condition holds but the request may have been processed. `exhausted`: no tries are left. */
  | { retry: false; why: 'no condition' | 'unsafe' | 'exhausted' };

const idempotentMethods = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

/** RFC 9110 §9.2.2, and requests that carry an `idempotency-key` (draft-ietf-httpapi-idempotency-key-header). */
export function isIdempotent(request: RequestHeaders): boolean {
  return idempotentMethods.has(request.method) || request.has('idempotency-key');
}

/**
 * The retries of one request.
 *
 * Conditions are Envoy's. One rule is added: what may have reached an upstream is tried again only if the request is
 * idempotent, or if the failure itself says that it was not processed (connection failure, refused stream, reset before
 * the request was sent) — a POST that got a 503 is not sent twice.
 */
export class RetryState {
  readonly #policy: RetryPolicy;
  readonly #idempotent: boolean;
  readonly #grpc: boolean;
  readonly #allowed: boolean;
  #left: number;
  #interval: number;

  constructor(policy: RetryPolicy, request: RequestHeaders) {
    this.#policy = policy;
    this.#idempotent = isIdempotent(request);
    this.#grpc = request.get('content-type')?.startsWith('application/grpc') ?? false;
    this.#allowed = policy.requestHeaders.length === 0 || policy.requestHeaders.some((test) => test(request));
    this.#left = policy.retries;
    this.#interval = Math.max(1, policy.backoff.base);
  }

  get policy(): RetryPolicy {
    return this.#policy;
  }

  /** @param now milliseconds since the epoch, for reset headers that give a time of day. */
  decide(failure: AttemptFailure, now: number, random: Random): RetryVerdict {
    if (!this.#allowed || !holds(this.#policy, failure, this.#grpc)) return { retry: false, why: 'no condition' };
    if (!this.#safe(failure)) return { retry: false, why: 'unsafe' };
    if (this.#left <= 0) return { retry: false, why: 'exhausted' };
    this.#left--;
    const told = 'response' in failure ? this.#toldDelay(failure.response.headers, now) : undefined;
    // The server's wish is spread by up to half, so that its clients do not all come back at once.
    if (told !== undefined) return { retry: true, delay: told * (1 + random.next() / 2) };
    const delay = Math.max(1, random.next() * this.#interval);
    this.#interval = Math.min(this.#interval * 2, this.#policy.backoff.max);
    return { retry: true, delay };
  }

  #safe(failure: AttemptFailure): boolean {
    if (this.#idempotent) return true;
    // Every gRPC call is a POST; a policy that names a gRPC status is the operator's word that it may be repeated.
    if ('response' in failure) return this.#grpc && grpcStatusNamed(this.#policy, failure.response.headers);
    return !failure.reset.requestSent || failure.reset.reason === 'remote refused stream reset';
  }

  #toldDelay(headers: HeaderList, now: number): number | undefined {
    const limited = this.#policy.rateLimited;
    for (const { name, unix } of limited?.headers ?? []) {
      const value = wholeNumber(headers.get(name));
      if (value === undefined) continue;
      const delay = unix ? value * 1000 - now : value * 1000;
      if (delay >= 0 && delay <= limited!.max) return delay;
    }
    return undefined;
  }
}

const grpcStatuses: Record<string, string> = {
  '1': 'cancelled',
  '4': 'deadline-exceeded',
  '8': 'resource-exhausted',
  '13': 'internal',
  '14': 'unavailable',
};

function grpcStatusNamed(policy: RetryPolicy, headers: HeaderList): boolean {
  const name = grpcStatuses[headers.get('grpc-status') ?? ''];
  return name !== undefined && policy.conditions.has(name);
}

function holds(policy: RetryPolicy, failure: AttemptFailure, grpc: boolean): boolean {
  return 'response' in failure
    ? responseHolds(policy, failure.response.status, failure.response.headers, grpc)
    : resetHolds(policy.conditions, failure.reset);
}

function responseHolds(policy: RetryPolicy, status: number, headers: HeaderList, grpc: boolean): boolean {
  const on = policy.conditions;
  // A rate limiter's "no" is final unless the policy says otherwise, whatever the status is.
  if (headers.has('x-envoy-ratelimited')) return on.has('envoy-ratelimited');
  if (status >= 500 && on.has('5xx')) return true;
  if (status >= 502 && status <= 504 && on.has('gateway-error')) return true;
  if (status === 409 && on.has('retriable-4xx')) return true;
  if (on.has('retriable-status-codes') && policy.retriableStatuses.has(status)) return true;
  if (on.has('retriable-headers') && policy.retriableHeaders.some((test) => test(headers))) return true;
  return grpc && grpcStatusNamed(policy, headers);
}

function resetHolds(on: ReadonlySet<string>, reset: Reset): boolean {
  // Our own circuit breaker is no reason to try again.
  if (reset.reason === 'overflow') return false;
  if (on.has('5xx') || on.has('gateway-error') || on.has('reset')) return true;
  if (on.has('reset-before-request') && (!reset.requestSent || reset.staleConnection)) return true;
  // A pooled connection that the upstream closed just as it was taken is a failure of the connection, too.
  if (on.has('connect-failure') && (isConnectFailure(reset.reason) || reset.staleConnection)) return true;
  return on.has('refused-stream') && reset.reason === 'remote refused stream reset';
}

export function isConnectFailure(reason: ResetReason): boolean {
  return (
    reason === 'local connection failure' || reason === 'remote connection failure' || reason === 'connection timeout'
  );
}
