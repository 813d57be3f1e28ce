export {
  type ContainerProcess,
  type ExitStatus,
  type ProcessDriver,
  processDriver,
  type ProcessSpec,
  StartError,
} from './process/driver.js';
export { isAlive, type ProcessIdentity, type ProcessUsage, sendSignal } from './process/procfs.js';
export { StraySweeper } from './process/sweeper.js';
export { ContainerLog, defaultLogLimits, type LogLimits, removeLog } from './logs/container-log.js';
export { type LogReadOptions, readLog } from './logs/read.js';
export type { AttachRequest, DnsConfig, NetworkDriver, PodNetwork } from './network/driver.js';
export { AddressPool, type Cidr, cidrContains, formatIPv4, parseCidr, parseIPv4 } from './network/ipam.js';
export { loopbackDriver, type LoopbackOptions } from './network/loopback.js';
export { type DnsServer, type DnsServerOptions, startDnsServer } from './dns/server.js';
export { answer, type DnsRecord, type ZoneAnswer, type ZoneData } from './dns/zone.js';
export { type ServiceEndpoint, type ServicePort, type ServiceView, usableEndpoints } from './services/model.js';
export { ServiceListeners, type ServiceListenersOptions } from './services/listeners.js';
export { type Backend, wantedListeners, type WantedListener } from './services/wanted.js';
export { type Image, type ImageSource, imageSource, type ResolvedImage } from './images/catalogue.js';
export { commandLine, expandWord, imageEnv } from './images/command.js';
export { type ImageName, parseImageName } from './images/name.js';
export { type Payload, writeAtomic } from './volumes/atomic.js';
export { type MountMapping, mapPath, mapText, orderMappings, staysInPlace } from './volumes/mapping.js';
export {
  configMapEntries,
  keyedPayload,
  type KeyToPath,
  mergePayloads,
  type PayloadProblem,
  secretEntries,
} from './volumes/payload.js';
