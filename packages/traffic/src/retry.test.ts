import test from 'ava';
import * as fc from 'fast-check';
import { seededRandom } from '@flotilla/base';
import { duration } from '@flotilla/xds';
import { HeaderList, RequestHeaders } from './headers.js';
import { compileRetryPolicy, policyFor } from './retry-policy.js';
import { type AttemptFailure, type Reset, type ResetReason, RetryState } from './retry.js';

const random = seededRandom(1);
const request = (method = 'GET', headers: Record<string, string> = {}): RequestHeaders =>
  new RequestHeaders({ method, path: '/', authority: 'h' }, Object.entries(headers).flat());
const response = (status: number, headers: Record<string, string> = {}): AttemptFailure => ({
  response: { status, headers: new HeaderList(Object.entries(headers).flat()) },
});
const reset = (reason: ResetReason, more: Partial<Reset> = {}): AttemptFailure => ({
  reset: { reason, requestSent: true, staleConnection: false, ...more },
});

function verdict(
  on: string,
  failure: AttemptFailure,
  method = 'GET',
  more: object = {},
  headers: Record<string, string> = {},
): string {
  const policy = compileRetryPolicy({ retry_on: on, num_retries: 1, ...more }, '');
  const answer = new RetryState(policy, request(method, headers)).decide(failure, 0, random);
  return answer.retry ? 'retry' : answer.why;
}

test('conditions on responses', (t) => {
  t.is(verdict('5xx', response(500)), 'retry');
  t.is(verdict('gateway-error', response(500)), 'no condition');
  t.is(verdict('gateway-error', response(503)), 'retry');
  t.is(verdict('retriable-4xx', response(409)), 'retry');
  t.is(verdict('retriable-status-codes', response(418), 'GET', { retriable_status_codes: [418] }), 'retry');
  t.is(verdict('retriable-status-codes', response(503), 'GET', { retriable_status_codes: [418] }), 'no condition');
  const header = { retriable_headers: [{ name: 'x-again', present_match: true }] };
  t.is(verdict('retriable-headers', response(200, { 'x-again': '1' }), 'GET', header), 'retry');
  t.is(verdict('5xx', response(503, { 'x-envoy-ratelimited': '1' })), 'no condition');
  t.is(verdict('envoy-ratelimited', response(429, { 'x-envoy-ratelimited': '1' })), 'retry');
  t.is(
    verdict('connect-failure,refused-stream,unavailable,cancelled', response(503)),
    'no condition',
    "Istio's default",
  );
});

test('conditions on resets', (t) => {
  const refused = { requestSent: false };
  t.is(verdict('connect-failure', reset('remote connection failure', refused)), 'retry');
  t.is(verdict('connect-failure', reset('connection termination')), 'no condition');
  t.is(verdict('reset', reset('connection termination')), 'retry');
  t.is(verdict('5xx', reset('per try timeout')), 'retry');
  t.is(verdict('refused-stream', reset('remote refused stream reset')), 'retry');
  t.is(verdict('reset-before-request', reset('connection termination', { staleConnection: true })), 'retry');
  t.is(verdict('connect-failure', reset('connection termination', { staleConnection: true })), 'retry');
  t.is(verdict('5xx,reset', reset('overflow', refused)), 'no condition', 'our own limit');
});

test('a POST is repeated only if it was not processed, or says that it may be', (t) => {
  t.is(verdict('5xx', response(503), 'POST'), 'unsafe');
  t.is(verdict('5xx,reset', reset('connection termination'), 'POST'), 'unsafe');
  t.is(verdict('reset-before-request', reset('connection termination', { staleConnection: true }), 'POST'), 'unsafe');
  t.is(verdict('connect-failure', reset('remote connection failure', { requestSent: false }), 'POST'), 'retry');
  t.is(verdict('refused-stream', reset('remote refused stream reset'), 'POST'), 'retry');
  t.is(verdict('5xx', response(503), 'POST', {}, { 'idempotency-key': 'k' }), 'retry');
  const grpc = { 'content-type': 'application/grpc' };
  t.is(verdict('unavailable', response(200, { 'grpc-status': '14' }), 'POST', {}, grpc), 'retry');
  t.is(verdict('unavailable', response(200, { 'grpc-status': '5' }), 'POST', {}, grpc), 'no condition');
});

test('only requests that match retriable_request_headers', (t) => {
  const more = { retriable_request_headers: [{ name: 'x-ok', present_match: true }] };
  t.is(verdict('5xx', response(500), 'GET', more), 'no condition');
  t.is(verdict('5xx', response(500), 'GET', more, { 'x-ok': '1' }), 'retry');
});

test('property: never more tries than allowed, and delays within the jittered, doubling bounds', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 1, max: 100 }), fc.nat(), (tries, base, seed) => {
      const retry_back_off = { base_interval: duration(base), max_interval: duration(base * 4) };
      const policy = compileRetryPolicy({ retry_on: '5xx', num_retries: tries, retry_back_off }, '');
      const state = new RetryState(policy, request());
      for (let i = 0; i < tries; i++) {
        const answer = state.decide(response(500), 0, seededRandom(seed + i));
        if (!answer.retry) return t.fail();
        t.true(answer.delay <= Math.max(1, Math.min(base * 2 ** i, base * 4)), `${answer.delay} at try ${i}`);
      }
      t.deepEqual(state.decide(response(500), 0, random), { retry: false, why: 'exhausted' });
    }),
  );
});

test('a server that says when to come back is believed, within reason', (t) => {
  const rate_limited_retry_back_off = {
    reset_headers: [{ name: 'Retry-After' }, { name: 'x-at', format: 'UNIX_TIMESTAMP' as const }],
    max_interval: duration(10_000),
  };
  const delay = (headers: Record<string, string>): number => {
    const policy = compileRetryPolicy({ retry_on: '5xx', rate_limited_retry_back_off }, '');
    const answer = new RetryState(policy, request()).decide(response(503, headers), 100_000, { next: () => 0 });
    return answer.retry ? answer.delay : -1;
  };
  t.is(delay({ 'retry-after': '2' }), 2000);
  t.is(delay({ 'retry-after': '999' }), 1);
  t.is(delay({ 'x-at': '105' }), 5000);
});

test('a request may ask for retries itself', (t) => {
  t.is(policyFor(request(), undefined), undefined);
  const asked = policyFor(
    request('GET', {
      'x-envoy-retry-on': '5xx',
      'x-envoy-max-retries': '3',
      'x-envoy-upstream-rq-per-try-timeout-ms': '40',
    }),
    undefined,
  )!;
  t.deepEqual([[...asked.conditions], asked.retries, asked.perTryTimeout], [['5xx'], 3, 40]);
  const route = compileRetryPolicy({ retry_on: 'reset' }, '');
  t.deepEqual([...policyFor(request('GET', { 'x-envoy-retry-on': '5xx' }), route)!.conditions], ['reset', '5xx']);
});
