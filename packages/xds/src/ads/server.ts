import type { DiscoveryRequest } from '../gen/types.js';
import { pushOrder, type ResourceKind, resourceKind, typeUrls } from '../resources.js';
import { type EncodedResource, type Rejection, type ResourceView, type Sent, Watch } from './watch.js';

/** What a request turned out to be. */
export type Receipt =
  | { is: 'subscribed' | 'ack' | 'changed' | 'stale'; kind: ResourceKind }
  | { is: 'nack'; kind: ResourceKind; version: string; message: string }
  /** A type that this server does not serve: left unanswered, as Istio does. */
  | { is: 'unsupported'; typeUrl: string };

/** A response to write, in order. */
export interface Push extends Sent {
  readonly kind: ResourceKind;
  readonly typeUrl: string;
  readonly resources: readonly EncodedResource[];
}

export interface PushPlan {
  readonly pushes: readonly Push[];
  /** Plan again at this time even if nothing happens (same clock as `now`). */
  readonly wakeAt: number | undefined;
}

export interface WatchStatus {
  readonly kind: ResourceKind;
  readonly sent: Sent | undefined;
  readonly accepted: Sent | undefined;
  readonly rejected: Rejection | undefined;
  /** Whether the client has answered the last response and nothing is left to send. */
  readonly synced: boolean;
  readonly resources: number;
}

/** How long listeners and routes wait for the endpoints of new clusters. */
const warmingWait = 1000;

/**
 * The server's side of one state-of-the-world ADS stream, without the stream: tell it of requests, ask it what to write.
 *
 * Invariants: at most one response of a kind is unanswered; a kind whose resources have not changed is not sent; nothing
 * is sent that refers to a cluster the client has not been given (make before break):
 *   1. clusters: the new ones beside those about to go,
 *   2. endpoints of the clusters the client then asks for,
 *   3. listeners, then routes, once every cluster has its endpoints (or `warmingWait` has passed),
 *   4. clusters again without those that nothing refers to any more.
 */
export class AdsServerStream {
  readonly #watches = new Map<ResourceKind, Watch>();
  #nonces = 0;
  #warmingSince: number | undefined;

  receive(request: DiscoveryRequest): Receipt {
    const kind = resourceKind(request.type_url ?? '');
    if (!kind) return { is: 'unsupported', typeUrl: request.type_url ?? '' };
    const known = this.#watches.get(kind);
    const watch = known ?? new Watch(kind);
    this.#watches.set(kind, watch);
    const nonce = request.response_nonce ?? '';
    // A request sent before our last response arrived: the answer to that response will repeat its names. A first
    // request may carry the nonce of a former stream, which means nothing here.
    if (known && nonce !== '' && nonce !== known.sent?.nonce) return { is: 'stale', kind };
    const changed = watch.subscribe(request);
    if (!known) return { is: 'subscribed', kind };
    if (nonce === '') return { is: 'changed', kind };
    if (request.error_detail) {
      const message = request.error_detail.message ?? '';
      watch.reject(message);
      return { is: 'nack', kind, version: watch.sent?.version ?? '', message };
    }
    watch.accept();
    return { is: changed ? 'changed' : 'ack', kind };
  }

  /** What to write now so that the client comes to have `view`. `now` in milliseconds of a clock that never goes back. */
  plan(view: ResourceView, now: number): PushPlan {
    const pushes: Push[] = [];
    for (const kind of pushOrder) {
      const push = this.#planKind(kind, view, now);
      if (push) pushes.push(push);
    }
    const waiting = this.#warmingSince !== undefined && now < this.#warmingSince + warmingWait;
    return { pushes, wakeAt: waiting ? this.#warmingSince! + warmingWait : undefined };
  }

  status(): WatchStatus[] {
    return [...this.#watches.values()].map((watch) => ({
      kind: watch.kind,
      sent: watch.sent,
      accepted: watch.accepted,
      rejected: watch.rejected,
      synced: watch.settledAt !== undefined && !watch.outstanding && !watch.rejected,
      resources: watch.held.size,
    }));
  }

  /** What the client holds or is being sent, by kind. */
  held(kind: ResourceKind): ReadonlyMap<string, EncodedResource> {
    return this.#watches.get(kind)?.held ?? new Map();
  }

  #planKind(kind: ResourceKind, view: ResourceView, now: number): Push | undefined {
    const watch = this.#watches.get(kind);
    if (!watch || watch.outstanding) return undefined;
    if (watch.settledAt === view.token(kind)) return undefined;
    if ((kind === 'listener' || kind === 'route') && this.#isWarming(view, now)) return undefined;
    const retained = kind === 'cluster' ? this.#retainedClusters(watch, view) : undefined;
    const carried = retained ? watch.dueInFull(new Map([...watch.wanted(view), ...retained])) : watch.due(view);
    if (!carried) {
      if (!retained) watch.settledAt = view.token(kind);
      return undefined;
    }
    const sent = { version: view.version, nonce: `${view.version}/${++this.#nonces}` };
    if (kind === 'cluster') this.#forgetEndpoints(watch, carried);
    watch.send(sent, carried, view);
    return { ...sent, kind, typeUrl: typeUrls[kind], resources: [...carried.values()] };
  }

  /** A client starts a cluster it is given anew without endpoints, whatever it had for an earlier one of that name. */
  #forgetEndpoints(clusters: Watch, next: ReadonlyMap<string, EncodedResource>): void {
    const endpoints = this.#watches.get('endpoint');
    if (!endpoints) return;
    for (const name of next.keys()) if (!clusters.held.has(name)) endpoints.lose(name);
  }

  /** Clusters that `view` has no more but routes of the client may still lead to; undefined when there are none. */
  #retainedClusters(watch: Watch, view: ResourceView): readonly (readonly [string, EncodedResource])[] | undefined {
    if (!watch.wildcard) return undefined;
    const wanted = watch.wanted(view);
    const leaving = [...watch.held].filter(([name]) => !wanted.has(name));
    return leaving.length > 0 && !this.#isSettled(view) ? leaving : undefined;
  }

  /** Whether the client has, and has answered, the listeners and routes of `view`. */
  #isSettled(view: ResourceView): boolean {
    return (['listener', 'route'] as const).every((kind) => {
      const watch = this.#watches.get(kind);
      if (!watch) return true;
      return !watch.outstanding && (watch.settledAt === view.token(kind) || !watch.due(view));
    });
  }

  /** Whether clusters of `view` are still without their endpoints at a client that follows them, and we still wait. */
  #isWarming(view: ResourceView, now: number): boolean {
    const clusters = this.#watches.get('cluster');
    if (!clusters || !this.#lacksClusters(clusters, view)) {
      this.#warmingSince = undefined;
      return false;
    }
    this.#warmingSince ??= now;
    return now < this.#warmingSince + warmingWait;
  }

  #lacksClusters(clusters: Watch, view: ResourceView): boolean {
    for (const name of clusters.wanted(view).keys()) if (!clusters.held.has(name)) return true;
    const endpoints = this.#watches.get('endpoint');
    for (const name of view.all('endpoint').keys()) {
      if (!clusters.held.has(name) || endpoints?.held.has(name) || endpoints?.refused?.has(name)) continue;
      // A client that has refused its clusters may never ask for the endpoints of some: it is not waited for.
      if (!clusters.refused || endpoints?.names.has(name)) return true;
    }
    return false;
  }
}
