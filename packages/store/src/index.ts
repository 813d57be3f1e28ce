export { InvalidKey, LogDiverged, NotWriter, ObjectTooLarge, StoreClosed, StoreUnavailable } from './errors.js';
export { type KeyParts, parseKey, storeKey, storePrefix } from './keys.js';
export type {
  Entry,
  Expired,
  Future,
  Store,
  StoreCodec,
  StoreEvent,
  WatchCursor,
  WindowOptions,
  WriteOp,
  WriteResult,
} from './port.js';
export { MemoryStore } from './memory.js';
export type { JetStreamStoreOptions } from './jetstream/options.js';
export { JetStreamStore } from './jetstream/store.js';
export type { Role } from './jetstream/succession.js';
