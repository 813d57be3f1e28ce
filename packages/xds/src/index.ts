export { AdsClientState, type Received, type Update } from './ads/client.js';
export { AdsServerStream, type Push, type PushPlan, type Receipt, type WatchStatus } from './ads/server.js';
export { encodeResponse } from './ads/response.js';
export { type EncodedResource, isFullState, type Rejection, type ResourceView, type Sent } from './ads/watch.js';
export {
  decode,
  encode,
  isKnownType,
  type JsonObject,
  type JsonValue,
  type MessageName,
  pack,
  toEnvoyJson,
  type TypeUrl,
  typeUrlOf,
  unpack,
  WireError,
} from './codec/index.js';
export { duration, durationMs, timestamp } from './duration.js';
export {
  decodeResource,
  encodeResource,
  pushOrder,
  type Resource,
  type ResourceKind,
  resourceKind,
  resourceName,
  type Resources,
  resourceToJson,
  typeUrls,
} from './resources.js';
export { adsService, type MethodDefinition, type Outgoing } from './service.js';
export type * from './gen/types.js';
