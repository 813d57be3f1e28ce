export { ConnectionPool, type Lease, type PoolEvent, type PoolOptions } from './connection-pool.js';
export { dial, DialError, type DialOptions } from './dial.js';
export {
  exchange,
  type UpstreamExchange,
  type UpstreamHandlers,
  type UpstreamHead,
  type UpstreamResponse,
} from './http-client.js';
export {
  type DownstreamHead,
  type DownstreamRequest,
  type DownstreamUpgrade,
  HttpServer,
  type HttpServerOptions,
} from './http-server.js';
export { type Endpoint, inspect, type Inspected, type InspectOptions } from './listener-filters.js';
export { listenTcp, type ListenSocket } from './listen.js';
export { encodeProxyV2, parseProxyHeader, type ProxyHeader, type ProxyParse } from './proxy-protocol.js';
export { relay, type RelayResult } from './relay.js';
export { ReplayBody } from './replay-body.js';
export { sniffHttp, type Sniffed, sniffTls, type TlsSniff } from './sniff.js';
export { tunnel, type TunnelOptions, type TunnelResult } from './tunnel.js';
