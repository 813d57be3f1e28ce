import { type Clock, describeError, type Timer } from '@flotilla/base';
import type { CircuitBreakers, Host, RequestHeaders, Reset } from '@flotilla/traffic';
import {
  DialError,
  exchange,
  type Lease,
  type ReplayBody,
  type UpstreamExchange,
  type UpstreamResponse,
} from '@flotilla/wire';
import type { RoutingPriority } from '@flotilla/xds';
import type { UpstreamCluster } from '../upstream/cluster.js';

export interface AttemptOptions {
  cluster: UpstreamCluster;
  host: Host;
  priority: RoutingPriority;
  request: RequestHeaders;
  body: ReplayBody;
  /** The body has no known length. */
  chunked: boolean;
  /** Milliseconds until the response must start; 0 is none. */
  timeout: number;
  /** A connection that may be about to close is avoided. */
  careful: boolean;
  clock: Clock;
  onResponse(response: UpstreamResponse): void;
  /** `transport` is the cause where the transport knows it. */
  onReset(reset: Reset, transport: string): void;
}

/**
 * One try of a request on one host: takes a connection, sends, and reports either a response or a reset. Holds a place in
 * the cluster's request limit from creation until it is over; whoever makes it has taken that place.
 */
export class Attempt {
  readonly host: Host;
  localAddress: string | undefined;
  readonly #options: AttemptOptions;
  readonly #breakers: CircuitBreakers;
  readonly #startedAt: number;
  /** Only while there is no connection yet. */
  #abort: AbortController | undefined;
  #exchange: UpstreamExchange | undefined;
  #timer: Timer | undefined;
  #over = false;

  constructor(options: AttemptOptions) {
    this.#options = options;
    this.host = options.host;
    this.#breakers = options.cluster.breakers[options.priority];
    this.#startedAt = options.clock.monotonic();
    options.host.active++;
    const { stats } = options.cluster;
    stats.rqTotal.inc();
    stats.rqActive.inc();
    options.cluster.statsOf(options.host).rqTotal++;
  }

  start(): void {
    const { timeout, clock } = this.#options;
    if (timeout > 0) this.#timer = clock.after(timeout, () => this.#timedOut());
    const { cluster, host, priority, careful } = this.#options;
    const ready = cluster.pool(priority).take(host, careful);
    if (ready) this.#send(ready);
    else void this.#connect();
  }

  /** Gives up. Nothing is reported any more. */
  cancel(): void {
    if (this.#over) return;
    this.#options.cluster.stats.rqTxReset.inc();
    this.#end();
    this.#abort?.abort();
    this.#options.body.detach();
    this.#exchange?.cancel();
  }

  /** The response has been passed on to its end. */
  done(): void {
    if (this.#over) return;
    const { cluster, clock, body } = this.#options;
    cluster.stats.rqTime.record(clock.monotonic() - this.#startedAt);
    this.#end();
    // The upstream answered before it had the whole request: the connection is of no further use.
    if (!body.ended) {
      body.detach();
      this.#exchange?.cancel();
    }
  }

  async #connect(): Promise<void> {
    const { cluster, host, priority } = this.#options;
    this.#abort = new AbortController();
    try {
      const lease = await cluster.pool(priority).acquire(host, this.#abort.signal);
      if (this.#over) lease.release(true);
      else this.#send(lease);
    } catch (error) {
      if (this.#over) return;
      const reset = { requestSent: false, staleConnection: false };
      if (error instanceof DialError) this.#onReset({ ...reset, reason: error.reason }, error.transport);
      else this.#onReset({ ...reset, reason: 'local reset' }, '');
    }
  }

  #send(lease: Lease): void {
    const { request, body, chunked } = this.#options;
    const { localAddress, localPort } = lease.socket;
    this.localAddress = `${localAddress}:${localPort}`;
    const headers = ['host', request.authority, ...request.flat];
    try {
      this.#exchange = exchange(
        lease,
        { method: request.method, path: request.path, headers, chunked },
        { onResponse: (response) => this.#onResponse(response), onReset: (reset) => this.#onReset(reset, '') },
      );
    } catch (error) {
      // Something that HTTP/1.1 cannot carry, e.g. a character that a route's configuration put into a header.
      lease.release(true);
      return this.#onReset({ reason: 'local reset', requestSent: false, staleConnection: false }, describeError(error));
    }
    body.attach(this.#exchange.body);
  }

  #onResponse(response: UpstreamResponse): void {
    if (this.#over) return;
    this.#timer?.cancel();
    const { cluster, host } = this.#options;
    cluster.stats.response(response.status);
    const stats = cluster.statsOf(host);
    if (response.status < 500) stats.rqSuccess++;
    else stats.rqError++;
    cluster.report(host, { status: response.status });
    this.#options.onResponse(response);
  }

  #onReset(reset: Reset, transport: string): void {
    if (this.#over) return;
    const { cluster, host, body } = this.#options;
    body.detach();
    cluster.statsOf(host).rqError++;
    if (reset.reason !== 'overflow') {
      cluster.stats.rqRxReset.inc();
      const timeout = reset.reason === 'connection timeout';
      if (reset.requestSent) cluster.shun(host);
      cluster.report(host, { local: timeout ? 'timeout' : reset.requestSent ? 'reset' : 'connect failed' });
    }
    this.#end();
    this.#options.onReset(reset, transport);
  }

  #timedOut(): void {
    if (this.#over) return;
    const { cluster, host } = this.#options;
    cluster.stats.rqPerTryTimeout.inc();
    cluster.statsOf(host).rqTimeout++;
    cluster.report(host, { local: 'timeout' });
    const sent = this.#exchange !== undefined;
    this.cancel();
    this.#options.onReset({ reason: 'per try timeout', requestSent: sent, staleConnection: false }, '');
  }

  #end(): void {
    this.#over = true;
    this.#timer?.cancel();
    this.host.active--;
    this.#options.cluster.stats.rqActive.dec();
    this.#breakers.requests.release();
  }
}
