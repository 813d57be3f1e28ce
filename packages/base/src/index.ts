export { type Deferred, deferred, KeyedMutex } from './async.js';
export { type BackoffOptions, backoffDelay } from './backoff.js';
export { type Clock, ManualClock, sleep, type Timer } from './clock.js';
export { describeError, errorCode, NamedError } from './errors.js';
export { type LogFields, type Logger, silentLogger } from './log.js';
export { done, KeyedQueue, type KeyedQueueOptions, type Outcome, retryAfter } from './queue.js';
export { nameSuffix, type Random, safeEncode, seededRandom } from './random.js';
