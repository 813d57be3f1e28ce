import {
  encodeProtobuf,
  expired,
  fieldErrors,
  FieldPath,
  invalid,
  type KubeObject,
  schemaOf,
  StatusError,
} from '@flotilla/api';
import type { Clock, Random } from '@flotilla/base';
import { StoreClosed, type StoreEvent, type WatchCursor } from '@flotilla/store';
import { type Call, countOption, flagOption, revisionOption } from '../call.js';
import { negotiate } from '../negotiate.js';
import { FrameEncoder } from '../representation/frames.js';
import { mediaOf, shapesOfRead } from '../representation/respond.js';
import { includeObjectOf } from '../representation/shape.js';
import type { Response, ResponseSink } from '../request.js';
import { type Selection, selectionOf } from '../selection.js';
import { type Objects, prefixOf } from '../storage.js';
import { convert } from '../versions.js';
import { concat } from '../wire.js';
import { waitFresh } from './list.js';

/** Time between bookmarks, milliseconds. Upstream: about a minute; ours are cheap, and spare informers a new list. */
const bookmarkEvery = 15_000;
/** Watches end by themselves after 30 to 60 minutes, so that clients spread over servers again (upstream). */
const shortestWatch = 30 * 60_000;

interface WatchPlan {
  /** Start with the present state as ADDED events. */
  initial: boolean;
  /** Mark the end of the initial events with a bookmark (watch-list). */
  markEnd: boolean;
  /** Events after this revision; undefined: from now. */
  from: number | undefined;
  /** The present state must be at least this new. */
  atLeast: number;
  bookmarks: boolean;
}

/** Reads the options of a watch. Throws 422 for combinations that upstream refuses. */
export function watchPlan(query: URLSearchParams): WatchPlan {
  const revision = revisionOption(query.get('resourceVersion'));
  const match = query.get('resourceVersionMatch') ?? '';
  const send = query.has('sendInitialEvents') ? flagOption(query, 'sendInitialEvents') : undefined;
  const bookmarks = flagOption(query, 'allowWatchBookmarks');
  const refuse = (field: string, why: string): StatusError =>
    invalid({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', [fieldErrors.forbidden(FieldPath.of(field), why)]);
  if (send !== undefined && match !== 'NotOlderThan') {
    throw refuse('resourceVersionMatch', 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan');
  }
  if (send === undefined && match !== '') {
    throw refuse(
      'resourceVersionMatch',
      'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
    );
  }
  const fresh = revision === undefined || revision === 0;
  const initial = send ?? fresh;
  const markEnd = send === true && bookmarks;
  return { initial, markEnd, from: initial || fresh ? undefined : revision, atLeast: revision ?? 0, bookmarks };
}

type Change = { type: 'ADDED' | 'MODIFIED' | 'DELETED'; object: KubeObject };

/**
 * What a watcher with this selection sees of a store event: an object that comes into the selection is added, one that
 * leaves it is deleted, carrying its last state inside and the revision at which it left.
 */
export function visibleChange(event: StoreEvent<KubeObject>, selection: Selection): Change | undefined {
  const { value, previous } = event;
  if (selection.all) return { type: event.type, object: value };
  const now = event.type !== 'DELETED' && selection.matches(value);
  const before = previous !== undefined && selection.matches(previous);
  if (now) return { type: before ? 'MODIFIED' : 'ADDED', object: value };
  if (!before) return undefined;
  if (event.type === 'DELETED') return { type: 'DELETED', object: value };
  return { type: 'DELETED', object: stamped(previous, event.revision) };
}

const leaving = new WeakMap<KubeObject, KubeObject>();

/** `previous` with the revision of the event that took it out of the selection; one copy for all watchers. */
function stamped(previous: KubeObject, revision: number): KubeObject {
  let copy = leaving.get(previous);
  if (copy?.metadata.resourceVersion !== String(revision)) {
    copy = { ...previous, metadata: { ...previous.metadata, resourceVersion: String(revision) } };
    leaving.set(previous, copy);
  }
  return copy!;
}

export interface WatchTimes {
  clock: Clock;
  random: Random;
}

/** WATCH: a response that goes on until the client leaves, its time is up, or its place in history is gone. */
export function watch(call: Call, objects: Objects, times: WatchTimes): Response {
  const { info, request, target } = call;
  const wish = negotiate(request.accept, mediaOf(info), shapesOfRead);
  if (wish.media === 'yaml') wish.media = 'json';
  const plan = watchPlan(request.query);
  const selection = selectionOf(info, request.query, target.name);
  const frames = new FrameEncoder(info, wish, includeObjectOf(request.query), () => times.clock.now());
  const seconds = countOption(request.query, 'timeoutSeconds') ?? 0;
  const lasts = seconds > 0 ? seconds * 1000 : shortestWatch * (1 + times.random.next());
  const body = async (sink: ResponseSink, signal: AbortSignal): Promise<void> => {
    const stream = new WatchStream(call, objects, { plan, selection, frames, sink, clock: times.clock });
    await stream.run(lasts, signal);
  };
  return { status: 200, contentType: frames.contentType, body };
}

interface StreamParts {
  plan: WatchPlan;
  selection: Selection;
  frames: FrameEncoder;
  sink: ResponseSink;
  clock: Clock;
}

class TimeUp extends Error {}

/** One running watch. */
class WatchStream {
  readonly #call: Call;
  readonly #objects: Objects;
  readonly #parts: StreamParts;
  #bookmarked = 0;

  constructor(call: Call, objects: Objects, parts: StreamParts) {
    this.#call = call;
    this.#objects = objects;
    this.#parts = parts;
  }

  async run(lastsMs: number, client: AbortSignal): Promise<void> {
    const { clock, sink, frames } = this.#parts;
    const over = new AbortController();
    const timer = clock.after(lastsMs, () => over.abort(new TimeUp()));
    const signal = AbortSignal.any([client, over.signal]);
    try {
      const cursor = await this.#start(signal);
      for (;;) {
        const events = await this.#next(cursor, signal);
        if (events === 'expired') throw expired(`too old resource version: the client is too slow`);
        await this.#send(events);
      }
    } catch (error) {
      if (client.aborted || error instanceof TimeUp || error instanceof StoreClosed) return;
      if (!(error instanceof StatusError)) throw error;
      const { status } = error;
      await sink.write(frames.error(status, () => encodeProtobuf(schemaOf('meta.Status'), status)));
    } finally {
      timer.cancel();
    }
  }

  /** Sends the initial events, if any, and takes a place behind them. */
  async #start(signal: AbortSignal): Promise<WatchCursor<KubeObject>> {
    const { plan, sink, frames, clock } = this.#parts;
    const { store } = this.#objects;
    await waitFresh(store, plan.atLeast, clock, signal);
    const prefix = prefixOf(this.#call.info, this.#call.target.namespace);
    let from = plan.from ?? store.revision();
    if (plan.initial) {
      const { revision, entries } = store.list(prefix);
      from = revision;
      const chosen = entries.filter((e) => this.#parts.selection.matches(e.value));
      await this.#write(chosen.map((e) => frames.event('ADDED', convert(this.#call.info, e.value))));
      if (plan.markEnd) await sink.write(frames.bookmark(from, true));
    }
    this.#bookmarked = from;
    const cursor = store.watch(prefix, from);
    if (cursor === 'expired') throw expired(`too old resource version: ${from} (${store.revision()})`);
    if (cursor === 'future') throw expired(`resource version ${from} has not happened`);
    return cursor;
  }

  /** The next events; sends bookmarks while there are none. */
  async #next(cursor: WatchCursor<KubeObject>, signal: AbortSignal): ReturnType<WatchCursor<KubeObject>['next']> {
    const { clock, plan } = this.#parts;
    const events = cursor.next(signal);
    if (!plan.bookmarks) return events;
    for (;;) {
      let timer = { cancel(): void {} };
      const tick = new Promise<'tick'>((resolve) => {
        timer = clock.after(bookmarkEvery, () => resolve('tick'));
      });
      const first = await Promise.race([events, tick]).finally(() => timer.cancel());
      if (first !== 'tick') return first;
      await this.#bookmark(cursor.revision);
    }
  }

  async #bookmark(revision: number): Promise<void> {
    if (revision <= this.#bookmarked) return;
    this.#bookmarked = revision;
    await this.#parts.sink.write(this.#parts.frames.bookmark(revision));
  }

  async #send(events: readonly StoreEvent<KubeObject>[]): Promise<void> {
    const { frames, selection } = this.#parts;
    const out: Uint8Array[] = [];
    for (const event of events) {
      const change = visibleChange(event, selection);
      if (change) out.push(frames.event(change.type, convert(this.#call.info, change.object)));
    }
    await this.#write(out);
  }

  /** Frames that are there at the same time travel together, in pieces of moderate size. */
  async #write(frames: readonly Uint8Array[]): Promise<void> {
    let batch: Uint8Array[] = [];
    let size = 0;
    for (const frame of frames) {
      batch.push(frame);
      size += frame.length;
      if (size < 64 * 1024) continue;
      await this.#parts.sink.write(batch.length === 1 ? frame : concat(batch));
      [batch, size] = [[], 0];
    }
    if (batch.length > 0) await this.#parts.sink.write(batch.length === 1 ? batch[0]! : concat(batch));
  }
}
