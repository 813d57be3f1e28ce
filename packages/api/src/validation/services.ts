import { FieldPath } from '../errors.js';
import type * as core from '../gen/core-v1.js';
import { cidrErrors, dns1035LabelErrors, ipErrors, ipFamily, portNumberErrors } from '../names.js';
import {
  complain,
  dnsLabel,
  dnsSubdomain,
  duplicate,
  type FieldErrors,
  forbidden,
  invalid,
  notSupported,
  oneOf,
  optionalOneOf,
  portNumberOrName,
  qualifiedName,
  required,
  type Rules,
} from './common.js';
import { validateLabels } from './metadata.js';

const root = FieldPath.of('spec');
const maxAffinitySeconds = 86_400;
const onlyLoadBalancer = "may only be used when `type` is 'LoadBalancer'";

const isHeadless = (spec: core.ServiceSpec): boolean => spec.clusterIPs?.length === 1 && spec.clusterIPs[0] === 'None';

function isExternallyAccessible({ type, externalIPs }: core.ServiceSpec): boolean {
  return type === 'LoadBalancer' || type === 'NodePort' || (type === 'ClusterIP' && (externalIPs?.length ?? 0) > 0);
}

/** Upstream's `validateService`, in its order. Addresses have been allocated by now. */
function validateService({ spec }: core.Service): FieldErrors {
  return [
    ...validateType(spec),
    ...validatePorts(spec),
    ...validateLabels(spec.selector, root.child('selector')),
    ...oneOf(root.child('sessionAffinity'), spec.sessionAffinity, ['ClientIP', 'None']),
    ...validateAffinity(spec),
    ...validateClusterIps(spec),
    ...(spec.externalIPs ?? []).flatMap((ip, i) => validateAddress(root.child('externalIPs').index(i), ip)),
    ...oneOf(root.child('type'), spec.type, ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort']),
    ...validatePortConflicts(spec),
    ...validateLoadBalancer(spec),
    ...validateTrafficPolicies(spec),
  ];
}

function validateType(spec: core.ServiceSpec): FieldErrors {
  const { type, ports = [] } = spec;
  const errors: FieldErrors = [];
  if (ports.length === 0 && !isHeadless(spec) && type !== 'ExternalName') errors.push(required(root.child('ports')));
  if (isHeadless(spec) && (type === 'LoadBalancer' || type === 'NodePort')) {
    const message = `may not be set to 'None' for ${type} services`;
    errors.push(invalid(root.child('clusterIPs').index(0), 'None', message));
  }
  if (type !== 'ExternalName') return errors;
  const no = 'may not be set for ExternalName services';
  if (spec.clusterIPs?.length) errors.push(forbidden(root.child('clusterIPs'), no));
  if (spec.ipFamilies?.length) errors.push(forbidden(root.child('ipFamilies'), no));
  if (spec.ipFamilyPolicy !== undefined) errors.push(forbidden(root.child('ipFamilyPolicy'), no));
  const name = (spec.externalName ?? '').replace(/\.$/, '');
  if (name === '') errors.push(required(root.child('externalName')));
  else errors.push(...dnsSubdomain(root.child('externalName'), name));
  return errors;
}

function validatePorts({ ports = [] }: core.ServiceSpec): FieldErrors {
  const names = new Set<string>();
  return ports.flatMap((port, i) => {
    const at = root.child('ports').index(i);
    const errors: FieldErrors = [];
    if (port.name) {
      errors.push(...dnsLabel(at.child('name'), port.name));
      if (names.has(port.name)) errors.push(duplicate(at.child('name'), port.name));
      names.add(port.name);
    } else if (ports.length > 1) errors.push(required(at.child('name')));
    return [
      ...errors,
      ...complain(at.child('port'), port.port, portNumberErrors(port.port)),
      ...oneOf(at.child('protocol'), port.protocol, ['SCTP', 'TCP', 'UDP']),
      ...portNumberOrName(at.child('targetPort'), port.targetPort),
      ...(port.appProtocol === undefined ? [] : qualifiedName(at.child('appProtocol'), port.appProtocol)),
    ];
  });
}

function validatePortConflicts({ type, ports = [] }: core.ServiceSpec): FieldErrors {
  const at = root.child('ports');
  const errors: FieldErrors = [];
  const nodePorts = new Set<string>();
  const taken = new Set<string>();
  for (const [i, { nodePort, protocol, port }] of ports.entries()) {
    if (nodePort && type === 'ClusterIP') {
      errors.push(forbidden(at.index(i).child('nodePort'), "may not be used when `type` is 'ClusterIP'"));
    }
    if (nodePort && nodePorts.has(`${protocol}/${nodePort}`)) {
      errors.push(duplicate(at.index(i).child('nodePort'), nodePort));
    }
    nodePorts.add(`${protocol}/${nodePort}`);
    if (taken.has(`${protocol}/${port}`)) errors.push(duplicate(at.index(i), { port, protocol }));
    taken.add(`${protocol}/${port}`);
  }
  return errors;
}

function validateAffinity(spec: core.ServiceSpec): FieldErrors {
  const at = root.child('sessionAffinityConfig');
  const config = spec.sessionAffinityConfig;
  if (spec.sessionAffinity === 'None') {
    return config ? [forbidden(at, 'must not be set when session affinity is None')] : [];
  }
  if (spec.sessionAffinity !== 'ClientIP') return [];
  const why = 'when session affinity type is ClientIP';
  if (!config) return [required(at, why)];
  if (!config.clientIP) return [required(at.child('clientIP'), why)];
  const seconds = config.clientIP.timeoutSeconds;
  const field = at.child('clientIP', 'timeoutSeconds');
  if (seconds === undefined) return [required(field, why)];
  if (seconds > 0 && seconds <= maxAffinitySeconds) return [];
  return [invalid(field, seconds, `must be greater than 0 and less than ${maxAffinitySeconds}`)];
}

function validateClusterIps(spec: core.ServiceSpec): FieldErrors {
  if (spec.type === 'ExternalName') return [];
  const { clusterIP = '', clusterIPs = [], ipFamilies = [] } = spec;
  const at = root.child('clusterIPs');
  const errors: FieldErrors = [];
  if (clusterIP !== '' && clusterIPs.length === 0) errors.push(required(at));
  else if (clusterIP !== '' && clusterIPs[0] !== clusterIP) {
    errors.push(invalid(at, clusterIPs, 'first value must match `clusterIP`'));
  } else if (clusterIP === '' && clusterIPs.length > 0) {
    errors.push(invalid(at, clusterIPs, 'must be empty when `clusterIP` is not specified'));
  }
  for (const [i, family] of ipFamilies.entries()) {
    const field = root.child('ipFamilies').index(i);
    if (family !== 'IPv4' && family !== 'IPv6') errors.push(notSupported(field, family, ['IPv4', 'IPv6']));
    if (ipFamilies.indexOf(family) < i) errors.push(duplicate(field, family));
  }
  const policies = ['PreferDualStack', 'RequireDualStack', 'SingleStack'];
  errors.push(...optionalOneOf(root.child('ipFamilyPolicy'), spec.ipFamilyPolicy, policies));
  return [...errors, ...validateIpList(clusterIPs, ipFamilies, at)];
}

function validateIpList(ips: readonly string[], families: readonly string[], at: FieldPath): FieldErrors {
  const errors: FieldErrors = [];
  if (ips[0] === 'None') {
    return ips.length > 1 ? [invalid(at, ips, "'None' must be the first and only value")] : [];
  }
  for (const [i, ip] of ips.entries()) errors.push(...complain(at.index(i), ip, ipErrors(ip)));
  if (ips.length > 2) errors.push(invalid(at, ips, 'may only hold up to 2 values'));
  if (errors.length > 0) return errors;
  if (ips.length > 1 && new Set(ips.map(ipFamily)).size < ips.length) {
    errors.push(invalid(at, ips, 'may specify no more than one IP for each IP family'));
  }
  for (const [i, ip] of ips.entries()) {
    const family = families[i];
    if (family === undefined || family === ipFamily(ip)) continue;
    const message = `expected an ${family} value as indicated by \`ipFamilies[${i}]\``;
    errors.push(invalid(at.index(i), ip, message));
  }
  return errors;
}

function validateAddress(at: FieldPath, ip: string): FieldErrors {
  const errors = complain(at, ip, ipErrors(ip));
  if (errors.length > 0) return errors;
  if (ip === '0.0.0.0' || ip === '::') return [invalid(at, ip, `may not be unspecified (${ip})`)];
  return [];
}

function validateLoadBalancer(spec: core.ServiceSpec): FieldErrors {
  const isLoadBalancer = spec.type === 'LoadBalancer';
  const ranges = spec.loadBalancerSourceRanges ?? [];
  const at = root.child('LoadBalancerSourceRanges');
  const errors: FieldErrors = [];
  if (ranges.length > 0 && !isLoadBalancer) errors.push(forbidden(at, onlyLoadBalancer));
  for (const [i, range] of ranges.entries()) errors.push(...complain(at.index(i), range, cidrErrors(range.trim())));
  if (spec.allocateLoadBalancerNodePorts !== undefined && !isLoadBalancer) {
    errors.push(forbidden(root.child('allocateLoadBalancerNodePorts'), onlyLoadBalancer));
  }
  if (isLoadBalancer && spec.allocateLoadBalancerNodePorts === undefined) {
    errors.push(required(FieldPath.of('allocateLoadBalancerNodePorts')));
  }
  if (spec.loadBalancerClass !== undefined) {
    const field = root.child('loadBalancerClass');
    if (isLoadBalancer) errors.push(...qualifiedName(field, spec.loadBalancerClass));
    else errors.push(forbidden(field, onlyLoadBalancer));
  }
  return errors;
}

function validateTrafficPolicies(spec: core.ServiceSpec): FieldErrors {
  const { externalTrafficPolicy, internalTrafficPolicy, healthCheckNodePort } = spec;
  const external = root.child('externalTrafficPolicy');
  const errors: FieldErrors = [];
  if (isExternallyAccessible(spec)) errors.push(...oneOf(external, externalTrafficPolicy, ['Cluster', 'Local']));
  else if (externalTrafficPolicy) {
    errors.push(invalid(external, externalTrafficPolicy, 'may only be set for externally-accessible services'));
  }
  const needsHealthCheck = spec.type === 'LoadBalancer' && externalTrafficPolicy === 'Local';
  if (healthCheckNodePort && !needsHealthCheck) {
    const message = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
    errors.push(invalid(root.child('healthCheckNodePort'), healthCheckNodePort, message));
  }
  const internal = root.child('internalTrafficPolicy');
  if (internalTrafficPolicy !== undefined || spec.type !== 'ExternalName') {
    errors.push(...oneOf(internal, internalTrafficPolicy, ['Cluster', 'Local']));
  }
  const distributions = ['PreferClose', 'PreferSameZone', 'PreferSameNode'];
  return [...errors, ...optionalOneOf(root.child('trafficDistribution'), spec.trafficDistribution, distributions)];
}

function update(service: core.Service, old: core.Service): FieldErrors {
  const errors: FieldErrors = [];
  if (service.spec.type !== 'ExternalName' && old.spec.type !== 'ExternalName') {
    errors.push(...validateClusterIpUpdate(service.spec, old.spec));
  }
  const both = service.spec.type === 'LoadBalancer' && old.spec.type === 'LoadBalancer';
  if (both && service.spec.loadBalancerClass !== old.spec.loadBalancerClass) {
    const value = service.spec.loadBalancerClass;
    errors.push(invalid(root.child('loadBalancerClass'), value, 'may not change once set'));
  }
  return [...errors, ...validateService(service)];
}

function validateClusterIpUpdate(now: core.ServiceSpec, before: core.ServiceSpec): FieldErrors {
  const [ips, oldIps] = [now.clusterIPs ?? [], before.clusterIPs ?? []];
  if (isHeadless(now) && isHeadless(before)) return [];
  const at = root.child('clusterIPs');
  if (oldIps.length > 0 && ips.length === 0) {
    return [invalid(at.index(0), ips, 'primary clusterIP can not be unset')];
  }
  const errors: FieldErrors = [];
  const shared = ips.length === oldIps.length ? ips.length : Math.min(1, oldIps.length);
  for (let i = 0; i < shared; i++) {
    if (ips[i] !== oldIps[i]) errors.push(invalid(at.index(i), ips, 'may not change once set'));
  }
  return errors;
}

function status(service: core.Service): FieldErrors {
  const ingress = service.status?.loadBalancer?.ingress ?? [];
  const at = FieldPath.of('status', 'loadBalancer', 'ingress');
  if (service.spec.type !== 'LoadBalancer') {
    return ingress.length > 0 ? [forbidden(at, "may only be used when `spec.type` is 'LoadBalancer'")] : [];
  }
  return ingress.flatMap((point, i) => validateIngressPoint(point, at.index(i)));
}

function validateIngressPoint({ ip, ipMode, hostname }: core.LoadBalancerIngress, at: FieldPath): FieldErrors {
  const errors = ip ? complain(at.child('ip'), ip, ipErrors(ip)) : [];
  if (ip && ipMode === undefined) errors.push(required(at.child('ipMode'), 'must be specified when `ip` is set'));
  else if (!ip && ipMode !== undefined) {
    errors.push(forbidden(at.child('ipMode'), 'may not be specified when `ip` is not set'));
  } else errors.push(...optionalOneOf(at.child('ipMode'), ipMode, ['Proxy', 'VIP']));
  if (!hostname) return errors;
  errors.push(...dnsSubdomain(at.child('hostname'), hostname));
  if (ipFamily(hostname)) errors.push(invalid(at.child('hostname'), hostname, 'must be a DNS name, not an IP address'));
  return errors;
}

export const serviceRules: Rules = { name: dns1035LabelErrors, create: validateService, update, status };
