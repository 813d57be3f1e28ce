import { quote } from '../../errors.js';
import type * as istio from '../../gen/istio.js';
import {
  type Complaints,
  duration,
  exportTo,
  fqdn,
  ipAddress,
  labels,
  percent,
  port,
  subsetName,
  wildcardDomain,
} from './primitives.js';

/** What Istio's webhook says of a DestinationRule. */
export function destinationRuleComplaints(rule: istio.DestinationRule): Complaints {
  const { host, subsets = [], trafficPolicy, workloadSelector } = rule.spec;
  const complaints = [...wildcardDomain(host), ...policyComplaints(trafficPolicy)];
  const names = new Set<string>();
  for (const subset of subsets) {
    if (names.has(subset.name)) complaints.push(`duplicate subset names: ${subset.name}`);
    names.add(subset.name);
    complaints.push(...subsetName(subset.name), ...labels(subset.labels), ...policyComplaints(subset.trafficPolicy));
  }
  return [
    ...complaints,
    ...exportTo(rule.spec?.exportTo, rule.metadata.namespace ?? ''),
    ...selectorComplaints(workloadSelector?.matchLabels),
  ];
}

function selectorComplaints(matchLabels: Record<string, string> | undefined): Complaints {
  return Object.entries(matchLabels ?? {}).flatMap(([key, value]) => {
    const complaints = key === '' ? [`empty key is not supported in selector: ${quote(`${key}=${value}`)}`] : [];
    if (key.includes('*') || value.includes('*')) {
      complaints.push(`wildcard is not supported in selector: ${quote(`${key}=${value}`)}`);
    }
    return complaints;
  });
}

function policyComplaints(policy: istio.TrafficPolicy | undefined): Complaints {
  if (!policy) return [];
  if (Object.values(policy).every((value) => value === undefined))
    return ['traffic policy must have at least one field'];
  if (policy.tunnel && policy.proxyProtocol) return ['tunnel and proxyProtocol must not be set together'];
  return [
    ...partsComplaints(policy),
    ...(policy.portLevelSettings ?? []).flatMap((level) => {
      const complaints = level.port ? [] : ['portTrafficPolicy must have valid port'];
      const { outlierDetection, connectionPool, loadBalancer, tls } = level;
      if (outlierDetection || connectionPool || loadBalancer || tls) complaints.push(...partsComplaints(level));
      else complaints.push('port traffic policy must have at least one field');
      return complaints;
    }),
    ...tunnelComplaints(policy.tunnel),
  ];
}

function partsComplaints(policy: istio.TrafficPolicy | istio.PortTrafficPolicy): Complaints {
  return [
    ...outlierComplaints(policy.outlierDetection),
    ...poolComplaints(policy.connectionPool),
    ...balancerComplaints(policy.loadBalancer),
    ...tlsComplaints(policy.tls),
  ];
}

function outlierComplaints(outlier: istio.OutlierDetection | undefined): Complaints {
  if (!outlier) return [];
  const complaints = duration(outlier.baseEjectionTime);
  if (!outlier.splitExternalLocalOriginErrors && (outlier.consecutiveLocalOriginFailures ?? 0) > 0) {
    complaints.push(
      'outlier detection consecutive local origin failures is specified, but split external local origin errors is set to false',
    );
  }
  return [
    ...complaints,
    ...duration(outlier.interval),
    ...percent(outlier.maxEjectionPercent),
    ...percent(outlier.minHealthPercent),
  ];
}

function counts(object: object, names: Record<string, string>): Complaints {
  const values = object as Record<string, unknown>;
  return Object.entries(names)
    .filter(([field]) => Number(values[field] ?? 0) < 0)
    .map(([, words]) => `${words} must be non-negative`);
}

function poolComplaints(pool: istio.ConnectionPoolSettings | undefined): Complaints {
  if (!pool) return [];
  const { http, tcp } = pool;
  if (!http && !tcp) return ['connection pool must have at least one field'];
  const complaints: Complaints = [];
  if (http) {
    complaints.push(
      ...counts(http, {
        http1MaxPendingRequests: 'http1 max pending requests',
        http2MaxRequests: 'http2 max requests',
        maxRequestsPerConnection: 'max requests per connection',
        maxRetries: 'max retries',
        maxConcurrentStreams: 'max concurrent streams',
      }),
      ...duration(http.idleTimeout),
    );
    if (http.h2UpgradePolicy === 'UPGRADE' && http.useClientProtocol) {
      complaints.push('use client protocol must not be true when H2UpgradePolicy is UPGRADE');
    }
  }
  if (tcp) {
    complaints.push(...counts(tcp, { maxConnections: 'max connections' }));
    const { connectTimeout, maxConnectionDuration, idleTimeout, tcpKeepalive } = tcp;
    const all = [connectTimeout, maxConnectionDuration, idleTimeout, tcpKeepalive?.time, tcpKeepalive?.interval];
    complaints.push(...all.flatMap(duration));
  }
  return complaints;
}

function isPrime(n: number): boolean {
  if (n < 2) return false;
  for (let factor = 2; factor * factor <= n; factor++) if (n % factor === 0) return false;
  return true;
}

function balancerComplaints(balancer: istio.LoadBalancerSettings | undefined): Complaints {
  if (!balancer) return [];
  const { consistentHash: hash } = balancer;
  const complaints: Complaints = [];
  if (hash?.httpCookie && !hash.httpCookie.name) complaints.push('name required for HttpCookie');
  if (hash?.minimumRingSize && (hash.maglev || hash.ringHash)) {
    complaints.push('only one of MinimumRingSize or Maglev/Ringhash can be specified');
  }
  if (hash?.maglev) {
    const size = hash.maglev.tableSize ?? 0;
    if (size === 0) complaints.push('tableSize must be set for maglev');
    if (size >= 5000011) complaints.push('tableSize must be less than 5000011 for maglev');
    if (!isPrime(size)) complaints.push('tableSize must be a prime number for maglev');
  }
  return [
    ...complaints,
    ...localityComplaints(balancer.localityLbSetting),
    ...duration(balancer.warmupDurationSecs),
    ...duration(balancer.warmup?.duration),
  ];
}

/** Either shares or failover; shares of one origin add up to a hundred. */
function localityComplaints(setting: istio.LocalityLoadBalancerSetting | undefined): Complaints {
  const { distribute = [], failover = [], failoverPriority = [] } = setting ?? {};
  const complaints: Complaints = [];
  if (distribute.length > 0 && failover.length + failoverPriority.length > 0) {
    complaints.push("can not simultaneously specify 'distribute' and 'failover/failoverPriority'");
  }
  for (const { to } of distribute) {
    const shares = Object.values(to ?? {});
    const total = shares.reduce((sum, n) => sum + n, 0);
    if (shares.some((n) => n <= 0 || n > 100)) complaints.push('locality weight must be in range [1, 100]');
    if (total !== 100) complaints.push(`total locality weight ${total} != 100`);
  }
  for (const { from, to } of failover) {
    if (from === to) complaints.push('locality lb failover settings must specify different regions');
  }
  return complaints;
}

function tlsComplaints(tls: istio.ClientTLSSettings | undefined): Complaints {
  if (!tls) return [];
  const { mode, clientCertificate, privateKey, caCertificates, credentialName } = tls;
  if ((mode === 'SIMPLE' || mode === 'MUTUAL') && credentialName) {
    if (!clientCertificate && !caCertificates && !privateKey) return [];
    return [`cannot specify client certificates or CA certificate If credentialName is set`];
  }
  if (mode !== 'MUTUAL') return [];
  const complaints: Complaints = [];
  if (!clientCertificate) complaints.push('client certificate required for mutual tls');
  if (!privateKey) complaints.push('private key required for mutual tls');
  return complaints;
}

function tunnelComplaints(tunnel: istio.TunnelSettings | undefined): Complaints {
  if (!tunnel) return [];
  const { protocol, targetHost, targetPort } = tunnel;
  const complaints: Complaints = [];
  if (protocol && protocol !== 'CONNECT' && protocol !== 'POST') {
    complaints.push('tunnel protocol must be "CONNECT" or "POST"');
  }
  const [name, address] = [fqdn(targetHost), ipAddress(targetHost)];
  if (name.length > 0 && address.length > 0) {
    complaints.push(`tunnel target host must be valid FQDN or IP address: ${name[0]}; ${address[0]}`);
  }
  for (const why of port(targetPort)) complaints.push(`tunnel target port is invalid: ${why}`);
  return complaints;
}
