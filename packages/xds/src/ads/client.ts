import { describeError } from '@flotilla/base';
import { WireError } from '../codec/index.js';
import type { DiscoveryRequest, DiscoveryResponse, Node } from '../gen/types.js';
import {
  decodeResource,
  pushOrder,
  type ResourceKind,
  resourceKind,
  resourceName,
  type Resources,
  typeUrls,
} from '../resources.js';
import { isFullState } from './watch.js';

/** A response with its resources decoded, to be judged by the caller. */
export interface Update<K extends ResourceKind = ResourceKind> {
  readonly is: 'update';
  readonly kind: K;
  readonly version: string;
  readonly nonce: string;
  readonly resources: ReadonlyMap<string, Resources[K]>;
  /** LDS and CDS: what is absent is deleted. Otherwise what is absent has not changed. */
  readonly fullState: boolean;
}

export type Received =
  | { [K in ResourceKind]: Update<K> }[ResourceKind]
  /** Malformed or ambiguous: send `request`, a NACK. */
  | {
      readonly is: 'refused';
      readonly kind: ResourceKind;
      readonly message: string;
      readonly request: DiscoveryRequest;
    }
  /** Of a type that was not asked for. */
  | { readonly is: 'ignored'; readonly typeUrl: string };

interface Subscription {
  names: readonly string[];
  /** Of the last response that was accepted; survives the stream. */
  version: string;
  /** Of the last response on this stream. */
  nonce: string;
}

/** `error_detail.code` of a NACK: google.rpc.Code INVALID_ARGUMENT. */
const invalidArgument = 3;

/**
 * The client's side of a state-of-the-world ADS stream, without the stream: it says which requests to write. Subscriptions
 * and accepted versions outlive a stream, so a new one resumes where the last ended.
 */
export class AdsClientState {
  readonly #node: Node;
  readonly #subscriptions = new Map<ResourceKind, Subscription>();
  #open = false;
  #introduced = false;

  constructor(node: Node) {
    this.#node = node;
  }

  /** The requests that open a new stream: one for every subscription, in push order. */
  opened(): DiscoveryRequest[] {
    this.#open = true;
    this.#introduced = false;
    const requests: DiscoveryRequest[] = [];
    for (const kind of pushOrder) {
      const subscription = this.#subscriptions.get(kind);
      if (!subscription) continue;
      subscription.nonce = '';
      requests.push(this.#request(kind, subscription));
    }
    return requests;
  }

  closed(): void {
    this.#open = false;
  }

  /**
   * Asks for these names (none: everything, for clusters and listeners). Returns the request to write, or undefined when
   * nothing has changed or no stream is open. A kind asked for no name at all that is not a wildcard waits for names.
   */
  subscribe(kind: ResourceKind, names: Iterable<string> = []): DiscoveryRequest | undefined {
    const sorted = [...new Set(names)].sort();
    const known = this.#subscriptions.get(kind);
    if (!known && sorted.length === 0 && !isFullState(kind)) return undefined;
    if (known && known.names.length === sorted.length && known.names.every((name, i) => name === sorted[i])) {
      return undefined;
    }
    const subscription = known ?? { names: sorted, version: '', nonce: '' };
    subscription.names = sorted;
    this.#subscriptions.set(kind, subscription);
    return this.#open ? this.#request(kind, subscription) : undefined;
  }

  /** Decodes a response. Two resources of one name, or bytes that are no such resource, are refused as a whole. */
  receive(response: DiscoveryResponse): Received {
    const typeUrl = response.type_url ?? '';
    const kind = resourceKind(typeUrl);
    const subscription = kind && this.#subscriptions.get(kind);
    if (!subscription) return { is: 'ignored', typeUrl };
    subscription.nonce = response.nonce ?? '';
    try {
      return this.#decode(kind, response);
    } catch (error) {
      const message = describeError(error);
      return { is: 'refused', kind, message, request: this.reject(kind, message) };
    }
  }

  /** The ACK of an update. */
  accept(update: { kind: ResourceKind; version: string }): DiscoveryRequest {
    const subscription = this.#subscriptions.get(update.kind)!;
    subscription.version = update.version;
    return this.#request(update.kind, subscription);
  }

  /** A NACK of the last response of a kind: the version stays at the last accepted one, the error says why. */
  reject(kind: ResourceKind, message: string): DiscoveryRequest {
    const request = this.#request(kind, this.#subscriptions.get(kind)!);
    return { ...request, error_detail: { code: invalidArgument, message } };
  }

  /** The version last accepted, by kind. */
  version(kind: ResourceKind): string | undefined {
    return this.#subscriptions.get(kind)?.version || undefined;
  }

  #decode<K extends ResourceKind>(kind: K, response: DiscoveryResponse): Received {
    const resources = new Map<string, Resources[K]>();
    for (const any of response.resources ?? []) {
      const resource = decodeResource(kind, any);
      const name = resourceName(kind, resource);
      if (resources.has(name)) throw new WireError(`two resources are called ${name}`);
      resources.set(name, resource);
    }
    const { version_info: version = '', nonce = '' } = response;
    const update: Update<K> = { is: 'update', kind, version, nonce, resources, fullState: isFullState(kind) };
    return update as Received;
  }

  #request(kind: ResourceKind, { names, version, nonce }: Subscription): DiscoveryRequest {
    const request: DiscoveryRequest = { type_url: typeUrls[kind] };
    // Only the first request of a stream must identify the node.
    if (!this.#introduced) request.node = this.#node;
    this.#introduced = true;
    if (names.length > 0) request.resource_names = [...names];
    if (version !== '') request.version_info = version;
    if (nonce !== '') request.response_nonce = nonce;
    return request;
  }
}
