import { FieldPath } from '../errors.js';
import type * as core from '../gen/core-v1.js';
import type * as discovery from '../gen/discovery-v1.js';
import { dns1123SubdomainErrors, ipErrors, ipFamily, portNumberErrors } from '../names.js';
import {
  complain,
  dnsLabel,
  dnsSubdomain,
  duplicate,
  type FieldErrors,
  immutable,
  invalid,
  oneOf,
  qualifiedName,
  required,
  type Rules,
  tooMany,
} from './common.js';

const protocols = ['SCTP', 'TCP', 'UDP'];

/**
 * Upstream's `ValidateEndpointIP`, but for its ban on 127.0.0.0/8 and ::1: that is where the `loopback` network driver
 * has its pods.
 */
function endpointIp(path: FieldPath, ip: string): FieldErrors {
  if (ip === '0.0.0.0' || ip === '::') return [invalid(path, ip, `may not be unspecified (${ip})`)];
  if (ip.startsWith('169.254.') || /^fe[89ab][0-9a-f]:/i.test(ip)) {
    return [invalid(path, ip, 'may not be in the link-local range (169.254.0.0/16, fe80::/10)')];
  }
  if (ip.startsWith('224.0.0.') || /^ff02:/i.test(ip)) {
    return [invalid(path, ip, 'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)')];
  }
  return [];
}

function validateEndpoints(endpoints: core.Endpoints): FieldErrors {
  return (endpoints.subsets ?? []).flatMap((subset, i) => {
    const at = FieldPath.of('subsets').index(i);
    const { addresses = [], notReadyAddresses = [], ports = [] } = subset;
    const empty = addresses.length + notReadyAddresses.length === 0;
    return [
      ...(empty ? [required(at, 'must specify `addresses` or `notReadyAddresses`')] : []),
      ...addresses.flatMap((a, j) => validateAddress(a, at.child('addresses').index(j))),
      ...notReadyAddresses.flatMap((a, j) => validateAddress(a, at.child('notReadyAddresses').index(j))),
      ...ports.flatMap((p, j) => validatePort(p, ports.length > 1, at.child('ports').index(j))),
    ];
  });
}

function validateAddress(address: core.EndpointAddress, path: FieldPath): FieldErrors {
  const { ip, hostname, nodeName } = address;
  return [
    ...complain(path.child('ip'), ip, ipErrors(ip)),
    ...(hostname ? dnsLabel(path.child('hostname'), hostname) : []),
    ...(nodeName ? complain(path.child('nodeName'), nodeName, dns1123SubdomainErrors(nodeName)) : []),
    ...endpointIp(path.child('ip'), ip),
  ];
}

function validatePort(port: core.EndpointPort, nameRequired: boolean, path: FieldPath): FieldErrors {
  const errors: FieldErrors = [];
  if (port.name) errors.push(...dnsLabel(path.child('name'), port.name));
  else if (nameRequired) errors.push(required(path.child('name')));
  return [
    ...errors,
    ...complain(path.child('port'), port.port, portNumberErrors(port.port)),
    ...oneOf(path.child('protocol'), port.protocol, protocols),
    ...(port.appProtocol === undefined ? [] : qualifiedName(path.child('appProtocol'), port.appProtocol)),
  ];
}

export const endpointsRules: Rules = { create: validateEndpoints, update: validateEndpoints };

const maxEndpoints = 1000;
const maxAddresses = 100;
const maxPorts = 20_000;

function validateSlice(slice: discovery.EndpointSlice): FieldErrors {
  const { addressType } = slice;
  const endpoints = slice.endpoints ?? [];
  const at = FieldPath.of('endpoints');
  const errors: FieldErrors = [];
  if (endpoints.length > maxEndpoints) errors.push(tooMany(at, endpoints.length, maxEndpoints));
  else errors.push(...endpoints.flatMap((e, i) => validateEndpoint(e, addressType, at.index(i))));
  return [
    ...oneOf(FieldPath.of('addressType'), addressType, ['FQDN', 'IPv4', 'IPv6']),
    ...errors,
    ...validateSlicePorts(slice.ports ?? [], FieldPath.of('ports')),
  ];
}

function validateEndpoint(endpoint: discovery.Endpoint, type: discovery.AddressType, path: FieldPath): FieldErrors {
  const { addresses, hostname, nodeName } = endpoint;
  const at = path.child('addresses');
  const errors: FieldErrors = [];
  if (!addresses?.length) errors.push(required(at, 'must contain at least 1 address'));
  else if (addresses.length > maxAddresses) errors.push(tooMany(at, addresses.length, maxAddresses));
  for (const [i, address] of (addresses ?? []).entries()) {
    errors.push(...validateSliceAddress(address, type, at.index(i)));
  }
  if (nodeName) errors.push(...complain(path.child('nodeName'), nodeName, dns1123SubdomainErrors(nodeName)));
  if (hostname) errors.push(...dnsLabel(path.child('hostname'), hostname));
  return errors;
}

function validateSliceAddress(address: string, type: discovery.AddressType, path: FieldPath): FieldErrors {
  if (type === 'FQDN') {
    if (address.split('.').length < 2) {
      return [invalid(path, address, 'should be a domain with at least two segments separated by dots')];
    }
    return dnsSubdomain(path, address);
  }
  if (type !== 'IPv4' && type !== 'IPv6') return [];
  if (ipFamily(address) !== type) return [invalid(path, address, `must be a valid ${type} address`)];
  return endpointIp(path, address);
}

function validateSlicePorts(ports: readonly discovery.EndpointPort[], path: FieldPath): FieldErrors {
  if (ports.length > maxPorts) return [tooMany(path, ports.length, maxPorts)];
  const names = new Set<string>();
  return ports.flatMap(({ name = '', protocol, port, appProtocol }, i) => {
    const at = path.index(i);
    const errors = name === '' ? [] : dnsLabel(at.child('name'), name);
    if (names.has(name)) errors.push(duplicate(at.child('name'), name));
    names.add(name);
    return [
      ...errors,
      ...oneOf(at.child('protocol'), protocol, protocols),
      ...(port === undefined ? [] : complain(at.child('port'), port, portNumberErrors(port))),
      ...(appProtocol === undefined ? [] : qualifiedName(at.child('appProtocol'), appProtocol)),
    ];
  });
}

export const endpointSliceRules: Rules = {
  create: validateSlice,
  update: (slice: discovery.EndpointSlice, old: discovery.EndpointSlice) => [
    ...validateSlice(slice),
    ...immutable(FieldPath.of('addressType'), slice.addressType, old.addressType),
  ],
};
