// Announced ahead of the implementation; goes away as the parts land.
import type { Clock, Logger, Random } from '@flotilla/base';
import type { KubeObject, ResourceInfo } from '@flotilla/api';
import type { NatsConnection } from 'nats';
import type { ApiRequest, ApiResponse, Transport } from './transport.js';

export interface ListOptions {
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  resourceVersion?: string;
  limit?: number;
  continue?: string;
}
export interface WatchOptions {
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  /** Events after this revision; absent: starts with the present state as ADDED. */
  resourceVersion?: string;
  allowBookmarks?: boolean;
}
export interface ObjectRef {
  name: string;
  namespace?: string | undefined;
}
export interface PatchOptions {
  /** Default `merge`. */
  type?: 'merge' | 'strategic' | 'json';
  subresource?: string;
}
export interface DeleteOptions {
  gracePeriodSeconds?: number;
  uid?: string;
  resourceVersion?: string;
  propagationPolicy?: 'Foreground' | 'Background' | 'Orphan';
}
export interface WatchEvent<T> {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  object: T;
}
/** Errors: StatusError as the server said, TransportError if it could not be asked. */
export interface ResourceClient<T extends KubeObject> {
  readonly info: ResourceInfo<T>;
  get(name: string, namespace?: string): Promise<T>;
  list(
    options?: ListOptions,
    signal?: AbortSignal,
  ): Promise<{ items: T[]; resourceVersion: string; continue?: string }>;
  create(object: T): Promise<T>;
  update(object: T): Promise<T>;
  updateStatus(object: T): Promise<T>;
  patch(ref: ObjectRef, patch: unknown, options?: PatchOptions): Promise<T>;
  delete(ref: ObjectRef, options?: DeleteOptions): Promise<void>;
  watch(options: WatchOptions, signal: AbortSignal): AsyncIterable<WatchEvent<T>>;
  /** POST to a subresource, e.g. `binding`. */
  createSub(ref: ObjectRef, subresource: string, body: unknown): Promise<unknown>;
}
export declare class Client {
  constructor(transport: Transport, options: { logger: Logger });
  readonly transport: Transport;
  resource<T extends KubeObject>(info: ResourceInfo<T>): ResourceClient<T>;
}
export interface InformerOptions {
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  logger: Logger;
  clock: Clock;
  random?: Random;
}
export declare class Informer<T extends KubeObject> {
  constructor(client: Client, info: ResourceInfo<T>, options: InformerOptions);
  start(): void;
  /** Resolves when the first list is in the cache. */
  whenSynced(): Promise<void>;
  readonly synced: boolean;
  get(key: string): T | undefined;
  list(): T[];
  addIndex(name: string, keys: (object: T) => readonly string[]): void;
  byIndex(name: string, value: string): T[];
  /** Returns the way to stop listening. */
  onChange(listener: (key: string, now: T | undefined, before: T | undefined) => void): () => void;
  stop(): Promise<void>;
}
export declare function natsTransport(
  nc: NatsConnection,
  identity: string,
  options?: { timeoutMs?: number },
): Transport;
export interface Kubeconfig {
  server: string;
  ca?: string;
  cert?: string;
  key?: string;
  token?: string;
  namespace?: string;
}
export declare function loadKubeconfig(path: string, context?: string): Promise<Kubeconfig>;
export declare function httpsTransport(config: Kubeconfig): Transport;

/** Who asks and what, as `serveRequests` and `serveStreams` hand it on. */
export interface IncomingRequest {
  /** Tokens of the subject that the request came in on, e.g. ['api', 'node-1', 'request']. Permissions make them trustworthy. */
  tokens: string[];
  /** Keys as sent. */
  headers: Record<string, string>;
  body: Uint8Array;
}
export interface IncomingApiRequest extends ApiRequest {
  body: Uint8Array;
  tokens: string[];
  headers: Record<string, string>;
  /** The second token of the subject. */
  identity: string;
}
export interface Serving {
  stop(): Promise<void>;
}
/** Serves requests as `natsTransport` sends them; `subject` e.g. `api.*.request`. */
export declare function serveRequests(
  nc: NatsConnection,
  subject: string,
  handler: (request: IncomingApiRequest) => Promise<ApiResponse>,
  options: { logger: Logger },
): Serving;
export interface StreamSink {
  /** Answers the request; without it, the first write answers 200. */
  start(status: number, headers?: Record<string, string>): void;
  /** Waits for credit; rejects when the peer is gone. */
  write(frame: Uint8Array): Promise<void>;
  /** Frames from the peer, for streams that go both ways. */
  readonly frames: AsyncIterable<Uint8Array>;
  end(): void;
  /** Aborts when the peer cancels or is lost. */
  readonly signal: AbortSignal;
}
export declare function serveStreams(
  nc: NatsConnection,
  subject: string,
  handler: (request: IncomingRequest, sink: StreamSink) => Promise<void>,
  options: { logger: Logger; clock?: Clock },
): Serving;
export interface OpenedStream {
  status: number;
  headers: Record<string, string>;
  frames: AsyncIterable<Uint8Array>;
  write(frame: Uint8Array): Promise<void>;
  end(): void;
}
/** `identity`: whose `stream.<identity>.` subjects carry the frames: one's own, or the node's when asking a node. */
export declare function openStream(
  nc: NatsConnection,
  identity: string,
  subject: string,
  request: { headers?: Record<string, string>; body?: Uint8Array },
  signal: AbortSignal,
): Promise<OpenedStream>;

export interface LeaseElectorOptions {
  client: Client;
  namespace: string;
  name: string;
  identity: string;
  clock: Clock;
  logger: Logger;
  /** Seconds; 15, 10, 2 if absent. */
  leaseDuration?: number;
  renewDeadline?: number;
  retryPeriod?: number;
  onStartedLeading: (signal: AbortSignal) => void;
  onStoppedLeading: () => void;
}
export declare class LeaseElector {
  constructor(options: LeaseElectorOptions);
  readonly leading: boolean;
  start(): void;
  /** Gives the lease back if it is held. */
  stop(): Promise<void>;
}

/** What the controllers know of nodes before the API does. */
export interface NodeLiveness {
  /** Calls back on every heartbeat of a node. */
  onHeartbeat(listener: (node: string) => void): () => void;
  /** Calls back when the agent's connection ends or comes (NATS advisories). */
  onConnection(listener: (node: string, event: 'connected' | 'disconnected') => void): () => void;
  /** Whether the agent answers within `timeoutMs`; `gone`: nobody listens there. */
  ping(node: string, timeoutMs: number): Promise<'alive' | 'gone' | 'silent'>;
  close(): Promise<void>;
}
export declare function natsNodeLiveness(options: {
  /** For heartbeats and pings. */
  nc: NatsConnection;
  /** On the system account, for advisories. */
  system?: NatsConnection;
  logger: Logger;
}): NodeLiveness;
/** The agent's side: sends `hb.<node>` every `intervalMs` (250) and answers `node.<node>.ping`. */
export declare function serveNodeLiveness(
  nc: NatsConnection,
  node: string,
  options: { clock: Clock; intervalMs?: number },
): Serving;

export interface EventRecorder {
  /** Never blocks, never throws; repeated events are counted up, floods are dropped. */
  event(object: KubeObject, type: 'Normal' | 'Warning', reason: string, message: string): void;
  /** Resolves when what was recorded so far has been sent or given up. */
  flush(): Promise<void>;
}
export declare function eventRecorder(
  client: Client,
  options: { component: string; host?: string; clock: Clock; random: Random; logger: Logger },
): EventRecorder;
/** Runs `fn` again while it fails with a TransportError or a retryable status, until the deadline. For idempotent work. */
export declare function retrying<T>(
  fn: () => Promise<T>,
  options: { clock: Clock; random?: Random; deadlineMs: number; signal?: AbortSignal },
): Promise<T>;
