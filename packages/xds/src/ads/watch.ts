import type { Any, DiscoveryRequest } from '../gen/types.js';
import type { ResourceKind } from '../resources.js';

/** A resource as it goes over the wire, encoded once for all streams that carry it. */
export interface EncodedResource {
  readonly name: string;
  /** Equal for equal content, different otherwise. */
  readonly version: string;
  readonly body: Any;
}

/** What one client should have. A view never changes; a new state of the world is a new view. */
export interface ResourceView {
  /** The `version_info` of responses from this view. */
  readonly version: string;
  /** Changes whenever anything of the kind does: equal tokens let a stream skip comparing. */
  token(kind: ResourceKind): unknown;
  /** Every resource of a kind, for wildcard subscriptions. */
  all(kind: ResourceKind): ReadonlyMap<string, EncodedResource>;
  /** One resource by name, which may be made on demand. */
  find(kind: ResourceKind, name: string): EncodedResource | undefined;
}

/** LDS and CDS responses carry the full state: what is absent is deleted. The others carry what has changed. */
export function isFullState(kind: ResourceKind): boolean {
  return kind === 'cluster' || kind === 'listener';
}

export interface Sent {
  readonly version: string;
  readonly nonce: string;
}

export interface Rejection extends Sent {
  /** `error_detail.message` of the NACK. */
  readonly message: string;
}

/** What a stream knows of one kind of resource: what the client wants, has been sent, and has said to it. */
export class Watch {
  readonly kind: ResourceKind;
  wildcard = false;
  names: ReadonlySet<string> = new Set();
  /** The last response, and the last one the client accepted or refused. */
  sent: Sent | undefined;
  accepted: Sent | undefined;
  rejected: Rejection | undefined;
  /** What the client has, or is being sent. */
  held = new Map<string, EncodedResource>();
  /** The response not yet answered, with what it carried. */
  outstanding: ReadonlyMap<string, EncodedResource> | undefined;
  /** What the client refused: not sent again until something of it has changed. */
  refused: ReadonlyMap<string, EncodedResource> | undefined;
  /** Names that were answered though nothing of that name should exist: not to be taken for something the client has. */
  readonly placeholders = new Set<string>();
  /** Names to be answered even when unchanged: a warming cluster waits for its endpoints. */
  readonly owed = new Set<string>();
  /** The whole subscription is new: answer even with nothing. */
  owesAnswer = true;
  /** `token` of the view for which nothing was left to send. */
  settledAt: unknown;
  #everNamed = false;

  constructor(kind: ResourceKind) {
    this.kind = kind;
  }

  /**
   * Takes over the names of a request; true when it asks for something new. An empty list is a wildcard for CDS and LDS
   * as long as the stream has never named a resource; afterwards it unsubscribes from everything ("How the client
   * specifies what resources to return").
   */
  subscribe(request: DiscoveryRequest): boolean {
    const named = request.resource_names ?? [];
    if (named.length > 0) this.#everNamed = true;
    const wildcard = isFullState(this.kind) && (named.includes('*') || (named.length === 0 && !this.#everNamed));
    const names = new Set(named.filter((name) => name !== '*'));
    const added = [...names].filter((name) => !this.names.has(name));
    const widened = wildcard && !this.wildcard;
    const narrowed = this.wildcard && !wildcard;
    for (const name of added) this.owed.add(name);
    for (const name of this.names) if (!names.has(name)) this.#forget(name);
    if (narrowed) this.#forgetAllBut(names);
    this.wildcard = wildcard;
    this.names = names;
    if (added.length > 0 || widened || narrowed) this.settledAt = undefined;
    return added.length > 0 || widened;
  }

  #forget(name: string): void {
    this.owed.delete(name);
    this.placeholders.delete(name);
    if (!this.wildcard) this.held.delete(name);
  }

  #forgetAllBut(names: ReadonlySet<string>): void {
    for (const name of this.held.keys()) if (!names.has(name)) this.held.delete(name);
  }

  accept(): void {
    this.accepted = this.sent;
    this.rejected = undefined;
    this.refused = undefined;
    this.outstanding = undefined;
  }

  /** The client keeps what it had before; whatever of the refused response still applies must be sent again with the next. */
  reject(message: string): void {
    if (this.sent) this.rejected = { ...this.sent, message };
    this.refused = this.outstanding ?? this.refused;
    if (!isFullState(this.kind)) for (const name of this.outstanding?.keys() ?? []) this.held.delete(name);
    this.outstanding = undefined;
    this.settledAt = undefined;
  }

  /** What the client should have of `view`; of a kind that carries its full state. */
  wanted(view: ResourceView): ReadonlyMap<string, EncodedResource> {
    if (this.wildcard && this.names.size === 0) return view.all(this.kind);
    const wanted = new Map<string, EncodedResource>(this.wildcard ? view.all(this.kind) : []);
    for (const name of this.names) {
      const resource = view.find(this.kind, name);
      if (resource) wanted.set(name, resource);
    }
    return wanted;
  }

  /** What a response of `view` must carry, or undefined when none is due. */
  due(view: ResourceView): ReadonlyMap<string, EncodedResource> | undefined {
    return isFullState(this.kind) ? this.dueInFull(this.wanted(view)) : this.#dueByName(view);
  }

  #isLeft(name: string, view: ResourceView): boolean {
    if (this.kind !== 'endpoint' || view.all(this.kind).has(name)) return false;
    return this.held.has(name) || (this.placeholders.has(name) && !this.owed.has(name));
  }

  /** The client has lost what it had of `name`: it is due again. */
  lose(name: string): void {
    this.placeholders.delete(name);
    this.held.delete(name);
    this.settledAt = undefined;
  }

  /** `wanted`, unless the client has or has refused exactly that. */
  dueInFull(wanted: ReadonlyMap<string, EncodedResource>): ReadonlyMap<string, EncodedResource> | undefined {
    if (this.refused && sameVersions(wanted, this.refused)) return undefined;
    const named = [...this.owed].some((name) => wanted.has(name));
    return this.owesAnswer || named || !sameVersions(wanted, this.held) ? wanted : undefined;
  }

  /** Of the names that were asked for, what has changed. */
  #dueByName(view: ResourceView): ReadonlyMap<string, EncodedResource> | undefined {
    const changed = new Map<string, EncodedResource>();
    for (const name of this.names) {
      // A cluster on its way out keeps its addresses until the client lets go of it: routes may still lead to it.
      if (this.#isLeft(name, view)) continue;
      const resource = view.find(this.kind, name);
      if (!resource) continue;
      const held = this.held.get(name);
      const same = held === resource || held?.version === resource.version;
      if (!same || this.owed.has(name)) changed.set(name, resource);
    }
    const refused = this.refused;
    if (changed.size === 0) return undefined;
    if (refused && [...changed].every(([name, { version }]) => refused.get(name)?.version === version))
      return undefined;
    return changed;
  }

  /** Notes that a response with these resources of `view` goes out. */
  send(sent: Sent, carried: ReadonlyMap<string, EncodedResource>, view: ResourceView): void {
    this.sent = sent;
    this.outstanding = carried;
    this.owesAnswer = false;
    if (isFullState(this.kind)) this.held = new Map(carried);
    else for (const [name, resource] of carried) this.#hold(name, resource, view);
    for (const name of carried.keys()) this.owed.delete(name);
  }

  #hold(name: string, resource: EncodedResource, view: ResourceView): void {
    if (this.kind === 'endpoint' && !view.all(this.kind).has(name)) {
      this.placeholders.add(name);
    } else {
      this.placeholders.delete(name);
      this.held.set(name, resource);
    }
  }
}

export function sameVersions(
  one: ReadonlyMap<string, EncodedResource>,
  other: ReadonlyMap<string, EncodedResource>,
): boolean {
  if (one.size !== other.size) return false;
  for (const [name, resource] of one) if (other.get(name)?.version !== resource.version) return false;
  return true;
}
