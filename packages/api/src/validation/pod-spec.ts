import type { FieldPath } from '../errors.js';
import type * as core from '../gen/core-v1.js';
import { dns1123SubdomainErrors, ipErrors, rangeMessage } from '../names.js';
import { podRequests } from '../pods.js';
import { tryQuantity } from '../quantity.js';
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
  qualifiedName,
  required,
} from './common.js';
import {
  type PodContext,
  validateContainers,
  validateEphemeralContainers,
  validateInitContainers,
} from './containers.js';
import { validateAnnotations, validateLabels } from './metadata.js';
import { quantityValue, validateResources } from './resources.js';
import { validateAffinity, validateTolerations, validateTopologySpread } from './scheduling.js';
import { validatePodSecurity } from './security.js';
import { validateVolumes } from './volumes.js';

const maxInt32 = 2 ** 31 - 1;

export const restartPolicies = ['Always', 'OnFailure', 'Never'];
const dnsPolicies = ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None'];

/** Upstream's `ValidatePodSpec`, of a Pod or of a template, in its order. */
export function validatePodSpec(spec: core.PodSpec, path: FieldPath, isPod: boolean): FieldErrors {
  const volumes = validateVolumes(spec.volumes, path.child('volumes'));
  const context: PodContext = { spec, volumes: volumes.byName, isPod };
  const grace = path.child('terminationGracePeriodSeconds');
  return [
    ...(spec.terminationGracePeriodSeconds === undefined ? [required(grace)] : []),
    ...volumes.errors,
    ...validateContainers(context, path.child('containers')),
    ...validateInitContainers(context, path.child('initContainers')),
    ...validateEphemeralContainers(context, path.child('ephemeralContainers')),
    ...validatePodResources(spec, path.child('resources')),
    ...validateHostPorts(spec, path.child('containers'), isPod),
    ...oneOf(path.child('restartPolicy'), spec.restartPolicy, restartPolicies),
    ...oneOf(path.child('dnsPolicy'), spec.dnsPolicy, dnsPolicies),
    ...validateLabels(spec.nodeSelector, path.child('nodeSelector')),
    ...validatePodSecurity(spec, path.child('securityContext')),
    ...validateAffinity(spec.affinity, path.child('affinity')),
    ...validateDns(spec, path.child('dnsConfig')),
    ...(spec.readinessGates ?? []).flatMap(({ conditionType }, i) =>
      qualifiedName(path.child('readinessGates').index(i).child('conditionType'), conditionType),
    ),
    ...validateGates(spec.schedulingGates ?? [], path.child('schedulingGates')),
    ...validateTopologySpread(spec.topologySpreadConstraints, path.child('topologySpreadConstraints')),
    ...validateHostUsers(spec, path),
    ...validateHostnameOverride(spec, path),
    ...validateNames(spec, path),
    ...validateTolerations(spec.tolerations, path.child('tolerations')),
    ...validateHostAliases(spec.hostAliases ?? [], path.child('hostAliases')),
    ...optionalOneOf(path.child('preemptionPolicy'), spec.preemptionPolicy, ['PreemptLowerPriority', 'Never']),
    ...Object.entries(spec.overhead ?? {}).flatMap(([name, text]) =>
      quantityValue(path.child('overhead').key(name), name, text),
    ),
    ...(spec.os ? oneOf(path.child('os'), spec.os.name, ['linux', 'windows']) : []),
  ];
}

/** Names of other objects and of the pod itself. */
function validateNames(spec: core.PodSpec, path: FieldPath): FieldErrors {
  const errors: FieldErrors = [];
  for (const field of ['serviceAccountName', 'nodeName', 'priorityClassName', 'runtimeClassName'] as const) {
    const name = spec[field];
    if (name) errors.push(...complain(path.child(field), name, dns1123SubdomainErrors(name)));
  }
  const deadline = spec.activeDeadlineSeconds;
  if (deadline !== undefined && (deadline < 1 || deadline > maxInt32)) {
    errors.push(invalid(path.child('activeDeadlineSeconds'), deadline, rangeMessage(1, maxInt32)));
  }
  for (const field of ['hostname', 'subdomain'] as const) {
    const name = spec[field];
    if (name) errors.push(...dnsLabel(path.child(field), name));
  }
  return errors;
}

/** On the host's network a pod's ports are the host's; a template may leave that to the pod's defaults. */
function validateHostPorts(spec: core.PodSpec, path: FieldPath, isPod: boolean): FieldErrors {
  if (!spec.hostNetwork) return [];
  return (spec.containers ?? []).flatMap((container, i) =>
    (container.ports ?? []).flatMap(({ hostPort = 0, containerPort }, j) => {
      if (hostPort === containerPort || (!isPod && hostPort === 0)) return [];
      const at = path.index(i).child('ports').index(j).child('hostPort');
      return [invalid(at, hostPort, 'must match `containerPort` when `hostNetwork` is true')];
    }),
  );
}

const podLevel = ['cpu', 'memory'];

function validatePodResources(spec: core.PodSpec, path: FieldPath): FieldErrors {
  const { resources } = spec;
  if (!resources) return [];
  const errors = validateResources(resources, path, (at, name) =>
    podLevel.includes(name) || name.startsWith('hugepages-') ? [] : [notSupported(at, name, podLevel)],
  );
  if (resources.claims)
    errors.push(forbidden(path.child('claims'), 'claims may not be set for Resources at pod-level'));
  const sum = podRequests({ spec: { ...spec, resources: {}, overhead: {} } });
  for (const [name, text] of Object.entries(resources.requests ?? {})) {
    const amount = tryQuantity(text);
    const wanted = sum[name];
    if (!amount || !wanted || wanted.compare(amount) <= 0) continue;
    const message = `must be greater than or equal to aggregate container requests of ${wanted}`;
    errors.push(invalid(path.child('requests').key(name), amount.toString(), message));
  }
  return errors;
}

function validateDns(spec: core.PodSpec, path: FieldPath): FieldErrors {
  const config = spec.dnsConfig;
  if (spec.dnsPolicy === 'None') {
    if (!config) return [required(path, 'must provide `dnsConfig` when `dnsPolicy` is None')];
    if (!config.nameservers?.length) {
      const message = 'must provide at least one DNS nameserver when `dnsPolicy` is None';
      return [required(path.child('nameservers'), message)];
    }
  }
  if (!config) return [];
  const { nameservers = [], searches = [], options = [] } = config;
  const errors: FieldErrors = [];
  if (nameservers.length > 3) {
    errors.push(invalid(path.child('nameservers'), nameservers, 'must not have more than 3 nameservers'));
  }
  for (const [i, ip] of nameservers.entries())
    errors.push(...complain(path.child('nameservers').index(i), ip, ipErrors(ip)));
  if (searches.length > 32) {
    errors.push(invalid(path.child('searches'), searches, 'must not have more than 32 search paths'));
  }
  if (searches.join(' ').length > 2048) {
    const message = 'must not have more than 2048 characters (including spaces) in the search list';
    errors.push(invalid(path.child('searches'), searches, message));
  }
  for (const [i, search] of searches.entries()) {
    if (search === '.') continue;
    const name = search.replace(/\.$/, '');
    errors.push(...complain(path.child('searches').index(i), name, dns1123SubdomainErrors(name.replaceAll('_', 'a'))));
  }
  for (const [i, { name }] of options.entries()) {
    if (!name) errors.push(required(path.child('options').index(i), 'must not be empty'));
  }
  return errors;
}

function validateGates(gates: readonly core.PodSchedulingGate[], path: FieldPath): FieldErrors {
  const seen = new Set<string>();
  return gates.flatMap(({ name }, i) => {
    const errors = qualifiedName(path.index(i), name);
    if (seen.has(name)) errors.push(duplicate(path.index(i), name));
    seen.add(name);
    return errors;
  });
}

function validateHostUsers(spec: core.PodSpec, path: FieldPath): FieldErrors {
  if (spec.hostUsers !== false) return [];
  const fields = { hostNetwork: spec.hostNetwork, HostPID: spec.hostPID, HostIPC: spec.hostIPC };
  return Object.entries(fields)
    .filter(([, set]) => set)
    .map(([field]) => forbidden(path.child(field), 'when `hostUsers` is false'));
}

function validateHostnameOverride(spec: core.PodSpec, path: FieldPath): FieldErrors {
  const name = spec.hostnameOverride;
  if (name === undefined) return [];
  const at = path.child('hostnameOverride');
  const errors: FieldErrors = [];
  if (spec.setHostnameAsFQDN) errors.push(forbidden(at, 'may not be specified when setHostnameAsFQDN is true'));
  if (spec.hostNetwork) errors.push(forbidden(at, 'may not be specified when hostNetwork is true'));
  return [...errors, ...dnsSubdomain(at, name)];
}

function validateHostAliases(aliases: readonly core.HostAlias[], path: FieldPath): FieldErrors {
  return aliases.flatMap(({ ip, hostnames }, i) => [
    ...complain(path.index(i).child('ip'), ip, ipErrors(ip)),
    ...(hostnames ?? []).flatMap((name, j) => dnsSubdomain(path.index(i).child('hostnames').index(j), name)),
  ]);
}

/** Upstream's `ValidatePodTemplateSpec`. */
export function validatePodTemplate(template: core.PodTemplateSpec, path: FieldPath): FieldErrors {
  const errors = [
    ...validateLabels(template.metadata?.labels, path.child('labels')),
    ...validateAnnotations(template.metadata?.annotations, path.child('annotations')),
    ...validatePodSpec(template.spec, path.child('spec'), false),
  ];
  if (template.spec.ephemeralContainers?.length) {
    const message = 'ephemeral containers not allowed in pod template';
    errors.push(forbidden(path.child('spec', 'ephemeralContainers'), message));
  }
  return errors;
}
