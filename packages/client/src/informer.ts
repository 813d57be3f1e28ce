import { isStatus, keyOf, type KubeObject, type ResourceInfo } from '@flotilla/api';
import { backoffDelay, type Clock, deferred, describeError, type Logger, type Random, sleep } from '@flotilla/base';
import type { Client, ResourceClient, Selection, WatchEvent } from './client.js';
import { Index } from './informer-index.js';
import { TransportError } from './transport.js';

export interface InformerOptions extends Selection {
  logger: Logger;
  clock: Clock;
  /** For jitter; without it there is none. */
  random?: Random;
}

/** What was, and is; both undefined never. Objects are shared: treat them as immutable. */
export type ChangeListener<T> = (key: string, now: T | undefined, before: T | undefined) => void;

/** What readers see of an informer: a local copy of one kind. The objects are shared: never change them. */
export interface Cache<T extends KubeObject> {
  get(key: string): T | undefined;
  list(): T[];
  addIndex(name: string, keys: (object: T) => readonly string[]): void;
  byIndex(name: string, value: string): T[];
  /** Calls back for everything that is there, now, and for every change from now on. Returns the way to stop. */
  onChange(listener: ChangeListener<T>): () => void;
}

const backoff = { base: 50, max: 2000, jitter: 0.5 };
/** Asking a server that is not there costs it nothing, and we want to be back soon after it. Milliseconds. */
const maxAbsentDelayMs = 400;
/** A watch that ended sooner than this counts as a failure, lest we spin. Milliseconds. */
const shortWatchMs = 1000;

/**
 * A cache of one resource, kept by list and watch. It lags behind the API but never shows a state that was not, and never
 * goes back in time. After a lost watch it resumes from where it was, and lists again only when the server no longer
 * knows that place (410). Listeners hear of differences, not of events: one that missed nothing in between.
 */
export class Informer<T extends KubeObject> implements Cache<T> {
  readonly #resource: ResourceClient<T>;
  readonly #options: InformerOptions;
  readonly #selection: Selection;
  readonly #objects = new Map<string, T>();
  readonly #indexes = new Map<string, Index<T>>();
  readonly #listeners = new Set<ChangeListener<T>>();
  readonly #synced = deferred<void>();
  readonly #stop = new AbortController();
  #isSynced = false;
  #running: Promise<void> | undefined;
  /** Where the next watch starts; '' before the first list and after a 410. */
  #resourceVersion = '';
  #failures = 0;

  constructor(client: Client, info: ResourceInfo<T>, options: InformerOptions) {
    const { namespace, labelSelector, fieldSelector } = options;
    this.#resource = client.resource(info);
    this.#options = options;
    this.#selection = {
      ...(namespace ? { namespace } : {}),
      ...(labelSelector ? { labelSelector } : {}),
      ...(fieldSelector ? { fieldSelector } : {}),
    };
    this.#synced.promise.catch(() => undefined);
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Resolves when the first list is in the cache; rejects if stopped before. */
  whenSynced(): Promise<void> {
    return this.#synced.promise;
  }

  get synced(): boolean {
    return this.#isSynced;
  }

  /** The revision that the cache reflects; '' before the first list. */
  get resourceVersion(): string {
    return this.#resourceVersion;
  }

  /** By `keyOf`: `namespace/name`, or `name`. */
  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  list(): T[] {
    return [...this.#objects.values()];
  }

  /** `values` says under which values an object is to be found. */
  addIndex(name: string, values: (object: T) => readonly string[]): void {
    const index = new Index(values);
    for (const [key, object] of this.#objects) index.replace(key, object, undefined);
    this.#indexes.set(name, index);
  }

  /** Objects under a value of an index that was added. */
  byIndex(name: string, value: string): T[] {
    const keys = this.#indexes.get(name)?.keys(value);
    return keys ? Array.from(keys, (key) => this.#objects.get(key)!) : [];
  }

  /**
   * Calls back for every object that is there, now, and for every difference from now on. Returns the way to stop. The
   * listener must be quick; what it throws is logged.
   */
  onChange(listener: ChangeListener<T>): () => void {
    this.#listeners.add(listener);
    for (const [key, object] of this.#objects) this.#tell(listener, key, object, undefined);
    return () => void this.#listeners.delete(listener);
  }

  /** Resolves when it has ended. The cache stays readable. */
  async stop(): Promise<void> {
    this.#stop.abort(new Error('the informer was stopped'));
    this.#synced.reject(this.#stop.signal.reason);
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const started = this.#options.clock.monotonic();
      const trouble = await this.#listAndWatch(signal);
      const lasted = this.#options.clock.monotonic() - started;
      if (lasted > shortWatchMs) this.#failures = 0;
      else if (trouble === undefined && !signal.aborted) await this.#pause('the watch ended at once');
      if (trouble !== undefined && !signal.aborted) await this.#pause(trouble);
    }
  }

  /** One list, if need be, and one watch until it ends. What ended it, unless that was in good order. */
  async #listAndWatch(signal: AbortSignal): Promise<unknown> {
    try {
      if (this.#resourceVersion === '') await this.#list(signal);
      await this.#watch(signal);
      return undefined;
    } catch (error) {
      if (isStatus(error, 'Expired') || isStatus(error, 'Gone')) this.#resourceVersion = '';
      // A revision that the server does not reach: it has lost its past.
      else if (isTooLarge(error) && this.#failures >= 3) this.#resourceVersion = '';
      return error;
    }
  }

  async #pause(trouble: unknown): Promise<void> {
    const { clock, logger, random } = this.#options;
    this.#failures++;
    // The first failure is not waited for: a master that was restarted, or a window that has moved on.
    let delay = this.#failures === 1 ? 1 : backoffDelay(backoff, this.#failures - 1, random);
    if (trouble instanceof TransportError && trouble.code === 'unavailable') delay = Math.min(delay, maxAbsentDelayMs);
    // One warning when it lasts, and then one now and then.
    logger[this.#failures % 50 === 6 ? 'warn' : 'debug']('watch interrupted', {
      resource: this.#resource.info.resource,
      trouble: describeError(trouble),
      delay: Math.round(delay),
    });
    await sleep(clock, delay, this.#stop.signal).catch(() => undefined);
  }

  async #list(signal: AbortSignal): Promise<void> {
    const list = await this.#resource.list(this.#selection, signal);
    const present = new Map(list.items.map((object) => [keyOf(object), object]));
    for (const key of this.#objects.keys()) if (!present.has(key)) this.#set(key, undefined);
    for (const [key, object] of present) this.#set(key, object);
    this.#resourceVersion = list.resourceVersion;
    this.#isSynced = true;
    this.#synced.resolve();
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const options = { ...this.#selection, resourceVersion: this.#resourceVersion, allowBookmarks: true };
    for await (const event of this.#resource.watch(options, signal)) {
      this.#failures = 0;
      this.#apply(event);
    }
  }

  #apply(event: WatchEvent<T>): void {
    const { object, type } = event;
    if (type !== 'BOOKMARK') this.#set(keyOf(object), type === 'DELETED' ? undefined : object);
    this.#resourceVersion = object.metadata.resourceVersion ?? this.#resourceVersion;
  }

  #set(key: string, now: T | undefined): void {
    const before = this.#objects.get(key);
    if (now === before) return;
    if (now && before && isSame(now, before)) return;
    if (now) this.#objects.set(key, now);
    else this.#objects.delete(key);
    for (const index of this.#indexes.values()) index.replace(key, now, before);
    for (const listener of this.#listeners) this.#tell(listener, key, now, before);
  }

  #tell(listener: ChangeListener<T>, key: string, now: T | undefined, before: T | undefined): void {
    try {
      listener(key, now, before);
    } catch (error) {
      this.#options.logger.error('a listener failed', { key, error: describeError(error) });
    }
  }
}

function isSame(a: KubeObject, b: KubeObject): boolean {
  return a.metadata.resourceVersion === b.metadata.resourceVersion && a.metadata.uid === b.metadata.uid;
}

function isTooLarge(error: unknown): boolean {
  return (
    isStatus(error, 'Timeout') &&
    (error.status.details?.causes?.some((cause) => cause.reason === 'ResourceVersionTooLarge') ?? false)
  );
}
