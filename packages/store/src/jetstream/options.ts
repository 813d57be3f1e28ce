import type { Clock, Logger } from '@flotilla/base';
import type { NatsConnection } from 'nats';
import type { WindowOptions } from '../port.js';

export interface JetStreamStoreOptions extends WindowOptions {
  nc: NatsConnection;
  /** Of this process, unique per start, e.g. `master-<pid>-<random>`; in the alphabet of NATS tokens. */
  identity: string;
  clock: Clock;
  logger: Logger;
  /** Stream name; `STATE` if absent. */
  stream?: string;
  /** First subject token; `state` if absent. */
  root?: string;
  /** Of the stream, when it is created; 1 if absent. */
  replicas?: number;
  /** Encoded bytes of one object; 1.5 MiB (etcd's) if absent, less if the server's max_payload is less. */
  maxObjectBytes?: number;
  /** How long a write may wait for the log before `StoreUnavailable`, milliseconds; 10 000 if absent. */
  writeTimeoutMs?: number;
  /** How long `open` may take, milliseconds; 30 000 if absent. */
  openTimeoutMs?: number;
  /** How often a follower asks whether the writer is there, milliseconds; 250 if absent. */
  probeEveryMs?: number;
  /** Writes under way at once; 64 if absent. */
  pipeline?: number;
  /** Silence of JetStream after which a write's outcome counts as unknown and is looked up, milliseconds; 2000 if absent. */
  replyTimeoutMs?: number;
  /** Age at which a deletion is removed from the log, milliseconds; 300 000 if absent. */
  tombstoneAgeMs?: number;
}

export const defaults = {
  stream: 'STATE',
  root: 'state',
  replicas: 1,
  maxObjectBytes: 1.5 * 1024 * 1024,
  writeTimeoutMs: 10_000,
  openTimeoutMs: 30_000,
  probeEveryMs: 250,
  pipeline: 64,
  replyTimeoutMs: 2000,
  tombstoneAgeMs: 300_000,
};

export type FullOptions = JetStreamStoreOptions & typeof defaults;
