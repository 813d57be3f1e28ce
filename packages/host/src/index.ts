export { systemClock, systemRandom } from './clock.js';
export { type LogLevel, textLogger } from './log.js';
export { type ReadyMessage, type RunningProcess, runProcess } from './process.js';
export {
  type AgentConfig,
  type MasterConfig,
  type NatsAccess,
  type NetworkConfig,
  type PilotConfig,
  type Profile,
  processTags,
} from './config.js';
export { findTagged, parseStat, type ProcessStat, readStat, signalProcess, type TaggedProcess } from './processes.js';
