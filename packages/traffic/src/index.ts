export { type Balancer, type BalancerKind, type BalancerOptions, makeBalancer } from './balance.js';
export { CircuitBreakers, compileBreakers, Limit, RetryLimit } from './breakers.js';
export type { ClusterChoice, ClusterSpecifier } from './clusters.js';
export { applyCors, compileCors, type Cors, type CorsDecision, decideCors } from './cors.js';
export { DomainTable, stripPort } from './domains.js';
export { compileFault, decideFault, type FaultDecision, type FaultPolicy } from './fault.js';
export { type ConnectionFacts, FilterChainTable } from './filter-chain.js';
export type { FilterOverrides } from './filter-config.js';
export { compileFormat, type Variable } from './format.js';
export { chainEdits, compileHeaderEdit, type HeaderEdit } from './header-edit.js';
export { HeaderList, RequestHeaders } from './headers.js';
export { type Host, type HostHealth, hostKey, type HostInit, isHealthy, mergeHosts, newHost } from './host.js';
export { HostSet, type HostSetOptions, pickWeighted, priorityLoads } from './host-set.js';
export { InvalidConfig, refuse } from './invalid.js';
export { compileRange, parseIp } from './ip.js';
export { compileHeaderMatchers, compileStringMatcher, type HeaderTest, type TextTest } from './matchers.js';
export { compileOutlier, type HostReport, OutlierDetector, type OutlierPolicy } from './outlier.js';
export type { Redirect } from './redirect.js';
export { compileRegex, loadRegex, RegexNeeded } from './regex.js';
export {
  type AttemptFailure,
  isConnectFailure,
  isIdempotent,
  type Reset,
  type ResetReason,
  RetryState,
  type RetryVerdict,
} from './retry.js';
export { compileRetryPolicy, policyFor, type RetryPolicy, wholeNumber } from './retry-policy.js';
export { setHost } from './rewrite.js';
export type { Forward, Mirror } from './route-action.js';
export { bare, isGrpc } from './route-match.js';
export { type Action, compileRoutes, type DirectResponse, type Route, type Routes } from './routes.js';
export { addFlag, newStreamInfo, type ResponseFlag, type StreamInfo } from './stream-info.js';
export { fraction, happens, runtimeFraction } from './values.js';
