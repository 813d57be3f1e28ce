export {
  Client,
  type DeleteOptions,
  type List,
  type ListOptions,
  type ObjectRef,
  type PatchOptions,
  pathOf,
  type ResourceClient,
  type Selection,
  type WatchEvent,
  type WatchOptions,
} from './client.js';
export { type EventRecorder, type EventRecorderOptions, eventRecorder } from './event-recorder.js';
export { httpsTransport, type HttpsTransportOptions } from './https.js';
export { type Cache, type ChangeListener, Informer, type InformerOptions } from './informer.js';
export { type Kubeconfig, KubeconfigError, loadKubeconfig } from './kubeconfig.js';
export {
  decideLease,
  LeaseElector,
  type LeaseElectorOptions,
  type LeaseStep,
  type LeaseTimes,
  type ObservedLease,
} from './lease.js';
export {
  type ConnectionEvent,
  type NatsNodeLivenessOptions,
  type NodeLiveness,
  natsNodeLiveness,
  serveNodeLiveness,
} from './liveness.js';
export { type ConnectOptions, connectNats } from './nats/connect.js';
export { type OpenedStream, openStream, type StreamRequest } from './nats/open-stream.js';
export { type RequestHandler, type Serving, serveRequests } from './nats/serve-requests.js';
export { type StreamHandler, type StreamSink, serveStreams } from './nats/serve-streams.js';
export { type NatsTransportOptions, natsTransport } from './nats/transport.js';
export { apiRequestOf, type IncomingApiRequest, type IncomingRequest } from './nats/wire.js';
export { isRetryable, type RetryOptions, retrying } from './retry.js';
export {
  type ApiRequest,
  type ApiResponse,
  type Transport,
  TransportError,
  type TransportErrorCode,
} from './transport.js';
