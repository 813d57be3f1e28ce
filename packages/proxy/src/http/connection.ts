import type { Endpoint } from '@flotilla/wire';

/** What is known of a downstream connection once its listener filters have run. */
export interface Connection {
  /** Original destination. */
  local: Endpoint;
  remote: Endpoint;
  /** The peer itself, before any PROXY header. */
  direct: Endpoint;
  serverName: string | undefined;
  direction: 'INBOUND' | 'OUTBOUND' | 'UNSPECIFIED';
  /** The listener was replaced or removed, or the proxy is going away: no further requests on this connection. */
  draining(): boolean;
  /** Requests served so far. */
  requests: number;
}
