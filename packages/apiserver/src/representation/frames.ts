import { apiVersionOf, encodeUnknown, encodeWatchFrame, type KubeObject, type ResourceInfo } from '@flotilla/api';
import type { Representation } from '../negotiate.js';
import { concat } from '../wire.js';
import { jsonBytes, protobufBytes } from './bytes.js';
import { type IncludeObject, partial, tableOf } from './shape.js';

export type EventType = 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';

const encoder = new TextEncoder();
const end = encoder.encode('}\n');
const opening = (type: EventType): Uint8Array => encoder.encode(`{"type":"${type}","object":`);
const openings: Readonly<Record<EventType, Uint8Array>> = {
  ADDED: opening('ADDED'),
  MODIFIED: opening('MODIFIED'),
  DELETED: opening('DELETED'),
  BOOKMARK: opening('BOOKMARK'),
  ERROR: opening('ERROR'),
};

/** One line of a JSON watch. */
export const jsonFrame = (type: EventType, object: object): Uint8Array =>
  concat([openings[type], jsonBytes(object), end]);

/** Frames by object, media and type: an event is encoded once, whatever the number of watchers. */
const shared = {
  json: new WeakMap<object, Map<string, Uint8Array>>(),
  protobuf: new WeakMap<object, Map<string, Uint8Array>>(),
};

function cached(media: 'json' | 'protobuf', object: object, type: EventType, make: () => Uint8Array): Uint8Array {
  let frames = shared[media].get(object);
  if (!frames) shared[media].set(object, (frames = new Map()));
  let frame = frames.get(type);
  if (!frame) frames.set(type, (frame = make()));
  return frame;
}

/** Turns the events of one watch into frames. */
export class FrameEncoder {
  readonly #info: ResourceInfo;
  readonly #wish: Representation;
  readonly #include: IncludeObject;
  readonly #now: () => number;
  #headersSent = false;

  constructor(info: ResourceInfo, wish: Representation, include: IncludeObject, now: () => number) {
    this.#info = info;
    this.#wish = wish;
    this.#include = include;
    this.#now = now;
  }

  get contentType(): string {
    return this.#wish.media === 'protobuf' ? 'application/vnd.kubernetes.protobuf;stream=watch' : 'application/json';
  }

  event(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: KubeObject): Uint8Array {
    switch (this.#wish.shape) {
      case 'object':
        return this.#wish.media === 'protobuf'
          ? cached('protobuf', object, type, () => this.#protobuf(type, object))
          : cached('json', object, type, () => jsonFrame(type, object));
      case 'PartialObjectMetadata':
        return jsonFrame(type, partial(object, this.#wish.shapeVersion));
      case 'Table':
        return jsonFrame(type, this.#table([object]));
    }
  }

  /** An object of the watched kind that has nothing but a revision; `initialEnd` marks the end of the initial events. */
  bookmark(revision: number, initialEnd = false): Uint8Array {
    const object = {
      kind: this.#info.kind,
      apiVersion: apiVersionOf(this.#info),
      metadata: {
        resourceVersion: String(revision),
        creationTimestamp: null,
        ...(initialEnd ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {}),
      },
    };
    const { media, shape, shapeVersion } = this.#wish;
    if (shape === 'Table') {
      const metadata = { resourceVersion: String(revision) };
      return jsonFrame('BOOKMARK', { ...this.#table([]), metadata, rows: [{ cells: [], object }] });
    }
    const bare: KubeObject = { ...object, metadata: { ...object.metadata, creationTimestamp: undefined } };
    if (media === 'protobuf') return this.#protobuf('BOOKMARK', bare);
    return jsonFrame('BOOKMARK', shape === 'PartialObjectMetadata' ? partial(bare, shapeVersion) : object);
  }

  error(status: { apiVersion?: string; kind?: string }, protobufStatus: () => Uint8Array): Uint8Array {
    if (this.#wish.media !== 'protobuf') return jsonFrame('ERROR', status);
    return encodeWatchFrame('ERROR', encodeUnknown({ apiVersion: 'v1', kind: 'Status', raw: protobufStatus() }));
  }

  #protobuf(type: EventType, object: KubeObject): Uint8Array {
    const raw = protobufBytes(this.#info, object);
    return encodeWatchFrame(type, encodeUnknown({ apiVersion: apiVersionOf(this.#info), kind: this.#info.kind, raw }));
  }

  #table(objects: readonly KubeObject[]): object {
    const headers = !this.#headersSent;
    this.#headersSent = true;
    return tableOf(this.#info, objects, {
      now: this.#now(),
      version: this.#wish.shapeVersion,
      include: this.#include,
      headers,
    });
  }
}
