import type { HeaderList, RequestHeaders } from './headers.js';

/**
 * Response flags as Envoy prints them. UH no healthy upstream, UF upstream connection failure, UC upstream connection
 * termination, UO overflow (circuit breaking), UR upstream remote reset, URX retry limit exceeded, UT upstream timeout,
 * LR local reset, NR no route, NC no cluster, DC downstream connection termination, DPE downstream protocol error,
 * UPE upstream protocol error, DI delay injected, FI fault injected, SI stream idle timeout, UMSDR upstream max stream
 * duration reached, OM overload manager.
 */
export type ResponseFlag =
  | 'UH'
  | 'UF'
  | 'UC'
  | 'UO'
  | 'UR'
  | 'URX'
  | 'UT'
  | 'LR'
  | 'NR'
  | 'NC'
  | 'DC'
  | 'DPE'
  | 'UPE'
  | 'DI'
  | 'FI'
  | 'SI'
  | 'UMSDR'
  | 'OM';

/** What is known of one request or connection: the source of access log lines, header variables and metrics. */
export interface StreamInfo {
  /** Milliseconds since the epoch. */
  startTime: number;
  /** Milliseconds, once the stream has ended. */
  duration?: number;
  /** Milliseconds from the start until the last byte of the request, and until the first byte of the response. */
  requestDuration?: number;
  responseDuration?: number;
  /** `HTTP/1.1`; absent for TCP. */
  protocol?: string;
  request?: RequestHeaders;
  response?: HeaderList;
  /** 0 if there was none. */
  responseCode: number;
  responseCodeDetails?: string;
  flags: ResponseFlag[];
  connectionTerminationDetails?: string;
  upstreamTransportFailure?: string;
  bytesReceived: number;
  bytesSent: number;
  upstreamHost?: string;
  upstreamCluster?: string;
  upstreamLocalAddress?: string;
  downstreamLocalAddress?: string;
  downstreamRemoteAddress?: string;
  /** The peer's own address, before any `x-forwarded-for`. */
  downstreamDirectRemoteAddress?: string;
  requestedServerName?: string;
  routeName?: string;
  attempts?: number;
  hostname?: string;
}

export function newStreamInfo(startTime: number): StreamInfo {
  return { startTime, responseCode: 0, flags: [], bytesReceived: 0, bytesSent: 0 };
}

export function addFlag(info: StreamInfo, flag: ResponseFlag): void {
  if (!info.flags.includes(flag)) info.flags.push(flag);
}
