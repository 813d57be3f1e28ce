export { type ConnectOptions, connectNats } from './nats/connect.js';
export * from './signatures.js';
export {
  type ApiRequest,
  type ApiResponse,
  type Transport,
  TransportError,
  type TransportErrorCode,
} from './transport.js';
