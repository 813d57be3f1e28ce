export { type CertificatePair, TestAuthority } from './authority.js';
export { FixtureFailed, type NatsFixture, type NatsFixtureOptions, type NatsUser, startNats } from './nats.js';
export {
  type ClusterOptions,
  type CommandResult,
  eventually,
  execute,
  findKubectl,
  freePorts,
  TestCluster,
} from './cluster.js';
