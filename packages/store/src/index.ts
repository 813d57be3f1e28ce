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
export { JetStreamStore, type JetStreamStoreOptions } from './jetstream/store.js';
