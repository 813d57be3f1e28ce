import type { ClientDuplexStream, Client as GrpcClient } from '@grpc/grpc-js';
import { backoffDelay, type Clock, describeError, type Logger, type Random, type Timer } from '@flotilla/base';
import {
  AdsClientState,
  adsService,
  type DiscoveryRequest,
  type DiscoveryResponse,
  type Node,
  type Outgoing,
} from '@flotilla/xds';
import type { ConfigState } from '../config/config-state.js';
import { type Counter, type Gauge, Scope, type StatsRegistry } from '../stats/registry.js';

type Grpc = typeof import('@grpc/grpc-js');
type Stream = ClientDuplexStream<DiscoveryRequest, Outgoing<DiscoveryResponse>>;

export interface AdsOptions {
  host: string;
  port: number;
  node: Node;
  clock: Clock;
  random: Random;
  logger: Logger;
  registry: StatsRegistry;
  config: ConfigState;
  /** After every update. */
  onApplied(): void;
}

/** Between two streams, milliseconds. A pilot that restarts is back within a second. */
const backoff = { base: 50, max: 2000, jitter: 0.5 };

/**
 * The proxy's line to its control plane: one ADS stream, opened again whenever it ends. The configuration at work is not
 * touched by losing it.
 */
export class AdsStream {
  readonly #options: AdsOptions;
  readonly #state: AdsClientState;
  readonly #connected: Gauge;
  readonly #rejected: Counter;
  readonly #accepted: Counter;
  #client: GrpcClient | undefined;
  #stream: Stream | undefined;
  #retry: Timer | undefined;
  #failures = 0;
  #stopped = false;
  /** Updates are applied one after the other, in the order they came. */
  #queue: Promise<void> = Promise.resolve();

  constructor(options: AdsOptions) {
    this.#options = options;
    this.#state = new AdsClientState(options.node);
    const scope = new Scope(options.registry, 'control_plane', '', '');
    this.#connected = scope.gauge('connected_state');
    this.#accepted = scope.counter('update_success');
    this.#rejected = scope.counter('update_rejected');
    this.#state.subscribe('cluster');
    this.#state.subscribe('listener');
  }

  get connected(): boolean {
    return this.#connected.value === 1;
  }

  version(kind: 'cluster' | 'endpoint' | 'listener' | 'route'): string | undefined {
    return this.#state.version(kind);
  }

  async start(): Promise<void> {
    const grpc = await import('@grpc/grpc-js');
    const { host, port } = this.#options;
    this.#client = new grpc.Client(`${host}:${port}`, grpc.credentials.createInsecure(), {
      'grpc.initial_reconnect_backoff_ms': 50,
      'grpc.max_reconnect_backoff_ms': 1000,
      'grpc.keepalive_time_ms': 15_000,
      'grpc.keepalive_timeout_ms': 5000,
      'grpc.max_receive_message_length': -1,
      'grpc.service_config_disable_resolution': 1,
      'grpc.enable_channelz': 0,
    });
    this.#open(grpc);
  }

  stop(): void {
    this.#stopped = true;
    this.#retry?.cancel();
    this.#stream?.cancel();
    this.#client?.close();
  }

  #open(grpc: Grpc): void {
    if (this.#stopped || !this.#client) return;
    const { StreamAggregatedResources: method } = adsService;
    // Waits for the connection instead of failing: the channel reconnects by itself, and soon.
    const metadata = new grpc.Metadata({ waitForReady: true });
    const stream = this.#client.makeBidiStreamRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      metadata,
    );
    this.#stream = stream;
    stream.on('data', (response: DiscoveryResponse) => {
      this.#queue = this.#queue.then(() => this.#receive(stream, response));
    });
    stream.on('error', (error: Error) => this.#ended(grpc, stream, describeError(error)));
    stream.on('end', () => this.#ended(grpc, stream, 'ended by the server'));
    for (const request of this.#state.opened()) stream.write(request);
  }

  #ended(grpc: Grpc, stream: Stream, why: string): void {
    if (this.#stream !== stream) return;
    this.#stream = undefined;
    this.#state.closed();
    this.#connected.set(0);
    if (this.#stopped) return;
    this.#failures++;
    const { clock, random, logger } = this.#options;
    const delay = backoffDelay(backoff, this.#failures, random);
    logger.warn('lost the control plane', { why, retryInMs: Math.round(delay) });
    this.#retry = clock.after(delay, () => this.#open(grpc));
  }

  async #receive(stream: Stream, response: DiscoveryResponse): Promise<void> {
    if (this.#stream !== stream) return;
    this.#failures = 0;
    if (!this.connected) this.#options.logger.info('connected to the control plane');
    this.#connected.set(1);
    const received = this.#state.receive(response);
    if (received.is === 'ignored') return;
    if (received.is === 'refused') {
      this.#rejected.inc();
      this.#options.logger.warn('update refused', { kind: received.kind, why: received.message });
      return this.#write(stream, received.request);
    }
    const { kind, resources, version } = received;
    const { errors } = await this.#options.config.apply(kind, resources, version);
    if (this.#stream === stream) {
      if (errors.length > 0) {
        this.#rejected.inc();
        this.#options.logger.warn('update refused', { kind, version, why: errors.join('; ') });
        this.#write(stream, this.#state.reject(kind, errors.join('; ')));
      } else {
        this.#accepted.inc();
        this.#write(stream, this.#state.accept(received));
      }
    }
    this.#subscribe(stream);
    this.#options.onApplied();
  }

  /** Asks for what the configuration now refers to. */
  #subscribe(stream: Stream): void {
    const { config } = this.#options;
    const requests = [
      this.#state.subscribe('endpoint', config.endpointNames()),
      this.#state.subscribe('route', config.routeNames()),
    ];
    for (const request of requests) if (request) this.#write(stream, request);
  }

  #write(stream: Stream, request: DiscoveryRequest): void {
    if (this.#stream === stream) stream.write(request);
  }
}
