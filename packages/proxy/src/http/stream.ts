import type { Timer } from '@flotilla/base';
import {
  addFlag,
  applyCors,
  type ClusterChoice,
  decideCors,
  decideFault,
  type FaultDecision,
  type Forward,
  HeaderList,
  newStreamInfo,
  type RequestHeaders,
  type Route,
  type StreamInfo,
} from '@flotilla/traffic';
import { type DownstreamRequest, ReplayBody, type UpstreamResponse } from '@flotilla/wire';
import type { HttpPorts } from './manager.js';
import type { Connection } from './connection.js';
import { IdleWatch } from './idle-watch.js';
import { sendMirrors } from './mirror.js';
import { type LocalReply, noCluster, noRoute, requestTooSlow, streamIdle } from './outcome.js';
import { prepareRequest } from './request-headers.js';
import { finishResponse, fromUpstream } from './response-headers.js';
import { Router, type RouterStream } from './router.js';

/** What is kept of a request body for another try. */
const replayLimit = 64 * 1024;

/**
 * One request from its head to its access log line, in this order:
 *
 *   prepare headers ─▶ route ─▶ cors ─▶ fault ─▶ router ─▶ upstream
 *   client ◀─ finish headers ◀─ route's header changes ◀─ cors ◀──┘
 */
export class HttpStream implements RouterStream {
  readonly request: RequestHeaders;
  readonly body: ReplayBody;
  readonly info: StreamInfo;
  readonly connection: Connection;
  readonly #ports: HttpPorts;
  readonly #downstream: DownstreamRequest;
  readonly #idle: IdleWatch;
  readonly #startedAt: number;
  #route: Route | undefined;
  #choice: ClusterChoice | undefined;
  #router: Router | undefined;
  #faultTimer: Timer | undefined;
  #requestTimer: Timer | undefined;
  #onResponseHeaders: ((headers: HeaderList) => void) | undefined;
  #responded = false;
  #over = false;

  constructor(downstream: DownstreamRequest, connection: Connection, ports: HttpPorts) {
    const { clock } = ports;
    this.#ports = ports;
    this.#downstream = downstream;
    this.connection = connection;
    this.#startedAt = clock.monotonic();
    this.#idle = new IdleWatch(clock);
    this.body = new ReplayBody(downstream.body, replayLimit);
    this.info = newStreamInfo(clock.now());
    const prepared = prepareRequest(downstream, connection, ports.spec, ports.newRequestId);
    this.request = prepared.request;
    this.info.protocol = `HTTP/${downstream.version}`;
    this.info.request = this.request;
    this.info.downstreamRemoteAddress = prepared.remoteAddress;
    this.info.downstreamDirectRemoteAddress = `${connection.direct.address}:${connection.direct.port}`;
    this.info.downstreamLocalAddress = `${connection.local.address}:${connection.local.port}`;
    this.info.hostname = ports.hostname;
    if (connection.serverName !== undefined) this.info.requestedServerName = connection.serverName;
    downstream.onAbort(() => this.#onAbort());
    downstream.onClose(() => this.#finish());
    this.body.onEnd(() => (this.info.requestDuration = clock.monotonic() - this.#startedAt));
    ports.stats.begin();
    if (prepared.reject) this.reply({ ...prepared.reject, body: '', flag: 'DPE' });
    else this.#start();
  }

  #start(): void {
    const { spec, random } = this.#ports;
    this.#watchIdle(spec.streamIdleTimeout);
    if (spec.requestTimeout > 0 && !this.body.ended) this.#limitRequest(spec.requestTimeout);
    const route = this.#ports.routes().find(this.request, random);
    if (!route) return this.reply(noRoute);
    this.#route = route;
    if (route.name) this.info.routeName = route.name;
    const { action } = route;
    if (action.kind === 'redirect') {
      const headers: [string, string][] = [['location', action.location(this.request)]];
      return this.reply({ status: action.status, body: '', flag: undefined, details: 'direct_response', headers });
    }
    if (action.kind === 'direct') {
      return this.reply({ status: action.status, body: action.body, flag: undefined, details: 'direct_response' });
    }
    const choice = action.clusters.choose(this.request, random);
    if (!choice) return this.reply(noCluster(action.clusterMissing));
    this.#choice = choice;
    this.info.upstreamCluster = choice.cluster;
    if (action.idleTimeout !== undefined) this.#watchIdle(action.idleTimeout);
    this.#ports.telemetry.request(this.request, this.info, this.connection);
    if (this.#cors(route)) return;
    this.#fault(route, choice, () => this.#forward(route, action, choice));
  }

  /** True if the request was a preflight and has been answered. */
  #cors(route: Route): boolean {
    const policy = this.#choice?.overrides?.cors ?? route.overrides.cors;
    if (!this.#ports.spec.cors || !policy) return false;
    const decision = decideCors(policy, this.request);
    if (decision.kind === 'preflight') {
      const { headers } = decision;
      this.reply({ status: 200, body: '', flag: undefined, details: 'cors_response', headers });
      return true;
    }
    this.#onResponseHeaders = (headers) => applyCors(decision, headers);
    return false;
  }

  #fault(route: Route, choice: ClusterChoice, next: () => void): void {
    const { spec, random, clock, faults } = this.#ports;
    const policy = spec.fault && (choice.overrides?.fault ?? route.overrides.fault ?? spec.fault);
    if (!policy) return next();
    const decision = decideFault(policy, this.request, choice.cluster, faults.active, random);
    if (decision.delay === undefined) return this.#abortOr(decision, next);
    faults.active++;
    addFlag(this.info, 'DI');
    this.#faultTimer = clock.after(decision.delay, () => {
      faults.active--;
      this.#faultTimer = undefined;
      this.#abortOr(decision, next);
    });
  }

  #abortOr({ abort }: FaultDecision, next: () => void): void {
    if (this.#over) return;
    if (!abort) return next();
    const headers: [string, string][] =
      abort.grpcStatus === undefined
        ? []
        : [
            ['content-type', 'application/grpc'],
            ['grpc-status', String(abort.grpcStatus)],
            ['grpc-message', 'fault filter abort'],
          ];
    const body = abort.grpcStatus === undefined ? 'fault filter abort' : '';
    this.reply({ status: abort.status, body, flag: 'FI', details: 'fault_filter_abort', headers });
  }

  #forward(route: Route, action: Forward, choice: ClusterChoice): void {
    const { clock, random, spec, clusters, telemetry } = this.#ports;
    const cluster = clusters.get(choice.cluster);
    if (!cluster) return this.reply(noCluster(action.clusterMissing));
    if (route.decorator?.propagate && this.connection.direction === 'OUTBOUND') {
      this.request.set('x-envoy-decorator-operation', route.decorator.operation);
    }
    telemetry.toUpstream(this.request, this.info, cluster, this.connection);
    this.#router = new Router(this, cluster, action, {
      clock,
      random,
      suppressEnvoyHeaders: spec.suppressEnvoyHeaders,
      maxDuration: action.maxDuration || spec.maxStreamDuration,
    });
    this.#router.start(route, choice);
    sendMirrors(action.mirrors, this.request, this.body, { clusters, clock, random });
  }

  passOn(response: UpstreamResponse, done: () => void): void {
    const { headers, status } = response;
    const time = headers.get('x-envoy-upstream-service-time');
    fromUpstream(headers);
    if (time !== undefined) headers.set('x-envoy-upstream-service-time', time);
    this.#ports.telemetry.fromUpstream(headers, this.info, this.connection);
    this.info.responseCode = status;
    this.info.responseCodeDetails = 'via_upstream';
    const out = this.#head(status, headers, response.reason);
    response.body.on('data', (chunk: Buffer) => (this.info.bytesSent += chunk.length));
    // The connection is only free for its next request once this body has been read: so far it goes no faster than the client.
    response.body.once('end', done);
    response.body.pipe(out);
  }

  reply(reply: LocalReply): void {
    if (this.#over || this.#responded) return;
    if (reply.flag) addFlag(this.info, reply.flag);
    this.info.responseCode = reply.status;
    this.info.responseCodeDetails = reply.details;
    const headers = new HeaderList();
    for (const [name, value] of reply.headers ?? []) headers.append(name, value);
    if (reply.body) {
      headers.append('content-length', String(Buffer.byteLength(reply.body)));
      if (!headers.has('content-type')) headers.append('content-type', 'text/plain');
    } else headers.append('content-length', '0');
    this.info.bytesSent = Buffer.byteLength(reply.body);
    this.#head(reply.status, headers, undefined).end(reply.body);
    this.body.discard();
  }

  /** Starts the response: the changes that route and connection manager make, then the head goes out. */
  #head(
    status: number,
    headers: HeaderList,
    reason: string | undefined,
  ): NodeJS.WritableStream & { end(body?: string): void } {
    const { spec, clock } = this.#ports;
    this.#responded = true;
    this.info.response = headers;
    this.info.responseDuration = clock.monotonic() - this.#startedAt;
    this.#onResponseHeaders?.(headers);
    this.#choice?.editResponse?.(headers, this.info);
    this.#route?.editResponse?.(headers, this.info);
    this.#decorate(headers);
    finishResponse(headers, spec, this.request.get('x-request-id'));
    const { connection } = this;
    const worn = spec.maxRequestsPerConnection > 0 && connection.requests >= spec.maxRequestsPerConnection;
    return this.#downstream.respond(status, headers, {
      close: worn || connection.draining(),
      ...(reason === undefined ? {} : { reason }),
    });
  }

  /** Outbound keeps the operation to itself; inbound tells it to callers without a proxy, as Istio. */
  #decorate(headers: HeaderList): void {
    if (this.connection.direction !== 'INBOUND') return headers.remove('x-envoy-decorator-operation');
    const decorator = this.#route?.decorator;
    if (decorator?.propagate) headers.set('x-envoy-decorator-operation', decorator.operation);
  }

  reset(): void {
    this.#downstream.reset();
  }

  /** The whole request must be here by then. */
  #limitRequest(ms: number): void {
    this.#requestTimer = this.#ports.clock.after(ms, () => {
      if (this.#responded) return;
      this.#router?.abort();
      this.reply(requestTooSlow);
    });
    this.body.onEnd(() => this.#requestTimer?.cancel());
  }

  #watchIdle(ms: number): void {
    const { info, body } = this;
    this.#idle.start(
      ms,
      () => info.bytesSent + body.bytes + (this.#responded ? 1 : 0),
      () => this.#onIdle(),
    );
  }

  #onIdle(): void {
    this.#router?.abort();
    if (!this.#responded) return this.reply(streamIdle(this.body.ended));
    addFlag(this.info, 'SI');
    this.info.responseCodeDetails = 'stream_idle_timeout';
    this.reset();
  }

  /** The client went away before it had everything. */
  #onAbort(): void {
    this.#router?.abort();
    // Torn down by us for a reason that is already noted.
    if (this.info.flags.some((flag) => flag === 'UC' || flag === 'SI' || flag === 'UT' || flag === 'UMSDR')) return;
    addFlag(this.info, 'DC');
    if (!this.#responded) this.info.responseCode = 0;
    this.info.responseCodeDetails = 'downstream_remote_disconnect';
  }

  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.#idle.stop();
    this.#requestTimer?.cancel();
    if (this.#faultTimer) {
      this.#faultTimer.cancel();
      this.#ports.faults.active--;
    }
    const { info } = this;
    info.duration = this.#ports.clock.monotonic() - this.#startedAt;
    info.bytesReceived = this.body.bytes;
    if (this.#router) info.attempts = this.#router.attempts;
    this.#ports.finished(info, this.connection);
  }
}
