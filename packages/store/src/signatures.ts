// Announced ahead of the implementation; goes away as the parts land.
import type { Clock, Logger } from '@flotilla/base';
import type { NatsConnection } from 'nats';
import type {
  Entry,
  Expired,
  Future,
  Store,
  StoreCodec,
  WatchCursor,
  WindowOptions,
  WriteOp,
  WriteResult,
} from './port.js';

export interface JetStreamStoreOptions extends WindowOptions {
  nc: NatsConnection;
  /** Of this process, unique per start, e.g. `master-<pid>-<random>`. */
  identity: string;
  clock: Clock;
  logger: Logger;
  /** Stream name; `STATE` if absent. */
  stream?: string;
  /** First subject token; `state` if absent. */
  root?: string;
  replicas?: number;
  /** Encoded bytes of one object; 1.5 MiB if absent, less if the server's max_payload is less. */
  maxObjectBytes?: number;
  /** How long a write may wait for the log before `StoreUnavailable`, milliseconds; 10 000 if absent. */
  writeTimeoutMs?: number;
}

export declare class JetStreamStore<T> implements Store<T> {
  /** Connects to the log (creates it if need be), replays it, and resolves when reads work and the role is known. */
  static open<T>(codec: StoreCodec<T>, options: JetStreamStoreOptions): Promise<JetStreamStore<T>>;
  /** A follower takes over by itself when the writer is gone. */
  readonly role: 'writer' | 'follower' | 'deposed' | 'closed';
  /** Resolves when this process has become the writer. */
  whenWriter(): Promise<void>;
  /** Resolves with the reason when this process has lost the log: step down (end the process). */
  readonly deposed: Promise<Error>;
  revision(): number;
  get(key: string): Entry<T> | undefined;
  list(prefix: string): { revision: number; entries: Entry<T>[] };
  listAt(prefix: string, revision: number): Entry<T>[] | Expired | Future;
  write(op: WriteOp<T>): Promise<WriteResult<T>>;
  watch(prefix: string, fromRevision: number): WatchCursor<T> | Expired | Future;
  waitFor(revision: number, signal?: AbortSignal): Promise<void>;
  close(): Promise<void>;
}
