import type { Clock, Random, Timer } from '@flotilla/base';
import {
  addFlag,
  type ClusterChoice,
  type Forward,
  type Host,
  isIdempotent,
  policyFor,
  type RequestHeaders,
  type Reset,
  type RetryPolicy,
  RetryState,
  type Route,
  setHost,
  type StreamInfo,
  wholeNumber,
} from '@flotilla/traffic';
import type { ReplayBody, UpstreamResponse } from '@flotilla/wire';
import type { UpstreamCluster } from '../upstream/cluster.js';
import { Attempt } from './attempt.js';
import type { Connection } from './connection.js';
import { type LocalReply, maxDuration, noHealthyUpstream, overflow, requestTimeout, upstreamReset } from './outcome.js';

/** The stream that a router works for. */
export interface RouterStream {
  readonly request: RequestHeaders;
  readonly body: ReplayBody;
  readonly info: StreamInfo;
  readonly connection: Connection;
  /** Passes an upstream response on; calls `done` when its last byte is out. */
  passOn(response: UpstreamResponse, done: () => void): void;
  reply(reply: LocalReply): void;
  /** Tears down a response that has begun. */
  reset(): void;
}

export interface RouterPorts {
  clock: Clock;
  random: Random;
  suppressEnvoyHeaders: boolean;
  /** Milliseconds for the whole stream; 0 is none. */
  maxDuration: number;
}

/** Fields that steer the router; not for the upstream. */
const consumed = [
  'x-envoy-retry-on',
  'x-envoy-retry-grpc-on',
  'x-envoy-max-retries',
  'x-envoy-retriable-status-codes',
  'x-envoy-retriable-header-names',
  'x-envoy-upstream-rq-timeout-ms',
  'x-envoy-upstream-rq-per-try-timeout-ms',
];

/**
 * The router filter: sends one request to a cluster, tries again where the policy says so, and enforces the timeouts.
 *
 *   start ─▶ attempt ─▶ response ─▶ pass on ─▶ done
 *              ▲  │ reset        │ retriable
 *              └──┴── back-off ◀─┘
 */
export class Router {
  readonly #stream: RouterStream;
  readonly #ports: RouterPorts;
  readonly #cluster: UpstreamCluster;
  readonly #forward: Forward;
  readonly #policy: RetryPolicy | undefined;
  readonly #retry: RetryState | undefined;
  readonly #tried = new Set<Host>();
  readonly #chunked: boolean;
  #attempt: Attempt | undefined;
  #attempts = 0;
  #perTry = 0;
  #timers: Timer[] = [];
  #retrying = false;
  #responding = false;
  #over = false;
  /** Monotonic time at which the request was complete. */
  #sentAt: number | undefined;

  constructor(stream: RouterStream, cluster: UpstreamCluster, forward: Forward, ports: RouterPorts) {
    this.#stream = stream;
    this.#cluster = cluster;
    this.#forward = forward;
    this.#ports = ports;
    const { request, body } = stream;
    this.#policy = policyFor(request, forward.retry);
    this.#retry = this.#policy && new RetryState(this.#policy, request);
    this.#chunked = !body.ended && !request.has('content-length');
  }

  get attempts(): number {
    return this.#attempts;
  }

  start(route: Route, choice: ClusterChoice): void {
    const { request, info, body } = this.#stream;
    const timeout = wholeNumber(request.get('x-envoy-upstream-rq-timeout-ms')) ?? this.#forward.timeout;
    this.#perTry = this.#policy?.perTryTimeout ?? 0;
    for (const name of consumed) request.remove(name);
    choice.editRequest?.(request, info);
    route.editRequest?.(request, info);
    this.#forward.rewrite(request);
    if (choice.hostRewrite) setHost(request, choice.hostRewrite, this.#forward.keepHost);
    const expected = this.#perTry > 0 && (timeout === 0 || this.#perTry < timeout) ? this.#perTry : timeout;
    if (expected > 0 && !this.#ports.suppressEnvoyHeaders) {
      request.set('x-envoy-expected-rq-timeout-ms', String(Math.round(expected)));
    }
    // A body of unknown length is sent chunked; no body at all must be said where one is usual.
    if (body.ended && /^(?:POST|PUT|PATCH)$/.test(request.method)) request.set('content-length', '0');
    body.onEnd(() => this.#onRequestComplete(timeout));
    if (this.#ports.maxDuration > 0) this.#after(this.#ports.maxDuration, () => this.#expire(maxDuration));
    this.#try();
  }

  /** The client is gone, or the stream is over for another reason. */
  abort(): void {
    if (this.#over) return;
    this.#end();
    this.#attempt?.cancel();
  }

  #onRequestComplete(timeout: number): void {
    this.#sentAt = this.#ports.clock.monotonic();
    // Envoy's route timeout runs from the end of the request, and covers all tries.
    if (timeout > 0 && !this.#over) this.#after(timeout, () => this.#expire(requestTimeout));
  }

  #after(ms: number, fn: () => void): void {
    this.#timers.push(this.#ports.clock.after(ms, fn));
  }

  #expire(reply: LocalReply): void {
    if (this.#over) return;
    if (reply.flag === 'UT') this.#cluster.stats.rqTimeout.inc();
    this.#finish(reply);
  }

  #try(): void {
    if (this.#over) return;
    const { request, body, info, connection } = this.#stream;
    const { priority } = this.#forward;
    this.#attempts++;
    info.attempts = this.#attempts;
    if (this.#forward.attemptCount.request) request.set('x-envoy-attempt-count', String(this.#attempts));
    const breakers = this.#cluster.breakers[priority];
    if (!breakers.requests.tryAcquire()) {
      this.#cluster.stats.rqPendingOverflow.inc();
      return this.#finish(overflow);
    }
    const avoid =
      this.#policy?.avoidPreviousHosts && this.#tried.size > 0 ? (host: Host) => this.#tried.has(host) : undefined;
    const host = this.#cluster.pick(connection.local, avoid, this.#policy?.hostAttempts);
    if (!host) {
      breakers.requests.release();
      return this.#finish(noHealthyUpstream);
    }
    this.#tried.add(host);
    info.upstreamHost = host.key;
    if (this.#forward.autoHost && host.hostname) setHost(request, host.hostname, this.#forward.keepHost);
    this.#attempt = new Attempt({
      cluster: this.#cluster,
      host,
      priority,
      request,
      body,
      chunked: this.#chunked,
      timeout: this.#perTry,
      careful: !isIdempotent(request),
      clock: this.#ports.clock,
      onResponse: (response) => this.#onResponse(response),
      onReset: (reset, transport) => this.#onReset(reset, transport),
    });
    this.#attempt.start();
  }

  #onResponse(response: UpstreamResponse): void {
    const { info, body } = this.#stream;
    info.upstreamLocalAddress = this.#attempt!.localAddress;
    if (this.#retried({ response })) {
      this.#attempt!.cancel();
      return;
    }
    if (this.#attempts > 1 && response.status < 500) this.#cluster.stats.rqRetrySuccess.inc();
    body.release();
    this.#responding = true;
    this.#settleRetry();
    const attempt = this.#attempt!;
    const { headers } = response;
    if (!this.#ports.suppressEnvoyHeaders) {
      const { clock } = this.#ports;
      const time = this.#sentAt === undefined ? 0 : clock.monotonic() - this.#sentAt;
      headers.set('x-envoy-upstream-service-time', String(Math.round(time)));
    }
    if (this.#forward.attemptCount.response) headers.set('x-envoy-attempt-count', String(this.#attempts));
    response.body.once('close', () => {
      if (!response.body.readableEnded && !this.#over) this.#onBrokenBody();
    });
    const done = (): void => {
      if (this.#over) return;
      this.#end();
      attempt.done();
    };
    try {
      this.#stream.passOn(response, done);
    } catch {
      // A header that cannot be written: the client gets nothing rather than something wrong.
      this.#stream.info.responseCodeDetails = 'local_response_failed';
      addFlag(this.#stream.info, 'LR');
      this.abort();
      this.#stream.reset();
    }
  }

  /** The upstream died in the middle of its response: the client must not take what it has for the whole. */
  #onBrokenBody(): void {
    const { info } = this.#stream;
    addFlag(info, 'UC');
    info.responseCodeDetails = 'upstream_reset_after_response_started{connection_termination}';
    this.abort();
    this.#stream.reset();
  }

  #onReset(reset: Reset, transport: string): void {
    if (transport) this.#stream.info.upstreamTransportFailure = transport;
    if (this.#retried({ reset })) return;
    this.#finish(upstreamReset(reset, transport, this.#attempts > 1));
  }

  /** Starts the next try if there is to be one. */
  #retried(failure: { response: UpstreamResponse } | { reset: Reset }): boolean {
    const { body, info } = this.#stream;
    this.#settleRetry();
    if (!this.#retry || this.#over || !body.replayable) return false;
    const { clock, random } = this.#ports;
    const verdict = this.#retry.decide(failure, clock.now(), random);
    const { stats } = this.#cluster;
    if (!verdict.retry) {
      if (verdict.why === 'exhausted' && this.#attempts > 1) {
        stats.rqRetryLimit.inc();
        addFlag(info, 'URX');
      }
      return false;
    }
    const breakers = this.#cluster.breakers[this.#forward.priority];
    if (!breakers.retries.tryAcquire(breakers.requests.active + breakers.pending.active)) {
      stats.rqRetryOverflow.inc();
      return false;
    }
    this.#retrying = true;
    stats.rqRetry.inc();
    this.#after(verdict.delay, () => this.#try());
    return true;
  }

  /** The retry under way, if any, has come to something. */
  #settleRetry(): void {
    if (!this.#retrying) return;
    this.#retrying = false;
    this.#cluster.breakers[this.#forward.priority].retries.release();
  }

  /** Ends without (more of) an upstream response. */
  #finish(reply: LocalReply): void {
    if (this.#over) return;
    const begun = this.#responding;
    this.#end();
    this.#attempt?.cancel();
    if (!begun) return this.#stream.reply(reply);
    if (reply.flag) addFlag(this.#stream.info, reply.flag);
    this.#stream.info.responseCodeDetails = reply.details;
    this.#stream.reset();
  }

  #end(): void {
    this.#over = true;
    for (const timer of this.#timers) timer.cancel();
    this.#timers = [];
    this.#settleRetry();
  }
}
