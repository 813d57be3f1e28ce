import type { Clock, Logger, Timer } from '@flotilla/base';
import {
  AdsServerStream,
  type DiscoveryRequest,
  encodeResponse,
  type ResourceKind,
  resourceKind,
  type WatchStatus,
} from '@flotilla/xds';
import { parseNode, type Proxy } from '../model/proxy.js';
import type { Snapshot } from '../model/snapshot.js';
import type { ProxyView, Views } from '../translate/views.js';
import type { Metrics } from './metrics.js';

export interface ConnectionOptions {
  readonly views: Views;
  /** The state of the mesh that proxies are to have now. */
  readonly snapshot: () => Snapshot;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Writes the bytes of a DiscoveryResponse. */
  readonly write: (response: Uint8Array) => void;
}

/** One proxy's stream: what it asked for, what it should have, what it was sent. */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #stream = new AdsServerStream();
  readonly connectedAt: number;
  #proxy: Proxy | undefined;
  #view: ProxyView | undefined;
  #wake: Timer | undefined;
  #logger: Logger;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#logger = options.logger;
    this.connectedAt = options.clock.now();
  }

  /** Undefined until the first request. */
  get proxy(): Proxy | undefined {
    return this.#proxy;
  }

  get view(): ProxyView | undefined {
    return this.#view;
  }

  status(): WatchStatus[] {
    return this.#stream.status();
  }

  held(kind: ResourceKind): ReturnType<AdsServerStream['held']> {
    return this.#stream.held(kind);
  }

  /** Takes one request. Throws NodeError when the first one does not say who asks. */
  receive(request: DiscoveryRequest): void {
    if (!this.#proxy) {
      this.#proxy = parseNode(request.node);
      this.#logger = this.#options.logger.with({ proxy: this.#proxy.id });
      this.#logger.info('proxy connected');
    }
    const receipt = this.#stream.receive(request);
    if (receipt.is === 'nack') {
      this.#options.metrics.add('pilot_total_xds_rejects', { type: receipt.kind });
      this.#logger.warn('proxy refused its configuration', {
        type: receipt.kind,
        version: receipt.version,
        error: receipt.message,
      });
    } else if (receipt.is === 'unsupported') {
      this.#logger.debug('type is not served', { type: receipt.typeUrl });
    }
    this.update();
  }

  /** Sends what is due. Returns the number of responses. */
  update(): number {
    if (!this.#proxy) return 0;
    this.#view = this.#options.views.viewFor(this.#proxy, this.#options.snapshot(), this.#view);
    const { pushes, wakeAt } = this.#stream.plan(this.#view, this.#options.clock.monotonic());
    for (const push of pushes) {
      this.#options.write(encodeResponse(push));
      this.#options.metrics.add('pilot_xds_pushes', { type: resourceKind(push.typeUrl) ?? push.typeUrl });
    }
    this.#wake?.cancel();
    const delay = wakeAt === undefined ? undefined : wakeAt - this.#options.clock.monotonic();
    this.#wake = delay === undefined ? undefined : this.#options.clock.after(Math.max(1, delay), () => this.update());
    return pushes.length;
  }

  close(): void {
    this.#wake?.cancel();
    if (this.#proxy) this.#logger.info('proxy disconnected');
  }
}
