import type { NatsAccess } from '@flotilla/host';

export interface NatsUser {
  user: string;
  password?: string;
  /** Subjects; absent: all. */
  publish?: string[];
  subscribe?: string[];
}

export interface NatsFixtureOptions {
  /** Users of the account that holds JetStream; absent: anyone may connect. */
  users?: NatsUser[];
  /** Adds a system account with user `system`. */
  systemAccount?: boolean;
  jetstream?: boolean;
  /** Bytes; 8 MiB if absent. */
  maxPayload?: number;
}

/** A real nats-server of one's own: own port, own directory, nothing left behind. */
export interface NatsFixture {
  readonly url: string;
  readonly port: number;
  access(user?: string): NatsAccess;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
  /** Starts it again on the same port and directory; resolves when it takes connections. */
  start(): Promise<void>;
  /** SIGSTOP and SIGCONT. */
  pause(): void;
  resume(): void;
  /** Ends the server and removes its directory. */
  close(): Promise<void>;
}

export declare function startNats(options?: NatsFixtureOptions): Promise<NatsFixture>;
