import type { FieldPath } from '../errors.js';
import type * as core from '../gen/core-v1.js';
import { portNameErrors, portNumberErrors } from '../names.js';
import { isSidecar } from '../pods.js';
import {
  complain,
  dnsLabel,
  duplicate,
  type FieldErrors,
  forbidden,
  invalid,
  notFound,
  notSupported,
  oneOf,
  required,
} from './common.js';
import { validateEnv, validateEnvFrom } from './env.js';
import { validateDevices, validateMounts } from './mounts.js';
import { validateLifecycle, validateProbes } from './probes.js';
import { validateResources } from './resources.js';
import { validateContainerSecurity } from './security.js';
import type { VolumesByName } from './volumes.js';

/** What a container needs to know of its pod. */
export interface PodContext {
  readonly spec: core.PodSpec;
  readonly volumes: VolumesByName;
  /** Of a Pod, not of a template: images must not be padded, for compatibility with old templates. */
  readonly isPod: boolean;
}

const protocols = ['SCTP', 'TCP', 'UDP'];

function validatePorts(ports: readonly core.ContainerPort[] | undefined, path: FieldPath): FieldErrors {
  const names = new Set<string>();
  return (ports ?? []).flatMap(({ name, containerPort, hostPort, protocol }, i) => {
    const at = path.index(i);
    const errors: FieldErrors = [];
    if (name) {
      const complaints = portNameErrors(name);
      if (complaints.length > 0) errors.push(...complain(at.child('name'), name, complaints));
      else if (names.has(name)) errors.push(duplicate(at.child('name'), name));
      names.add(name);
    }
    if (!containerPort) errors.push(required(at.child('containerPort')));
    else errors.push(...complain(at.child('containerPort'), containerPort, portNumberErrors(containerPort)));
    if (hostPort) errors.push(...complain(at.child('hostPort'), hostPort, portNumberErrors(hostPort)));
    return [...errors, ...oneOf(at.child('protocol'), protocol, protocols)];
  });
}

function hostPortConflicts(containers: readonly core.Container[], path: FieldPath): FieldErrors {
  const taken = new Set<string>();
  const errors: FieldErrors = [];
  for (const [i, container] of containers.entries()) {
    for (const [j, { hostPort, hostIP = '', protocol = '' }] of (container.ports ?? []).entries()) {
      if (!hostPort) continue;
      const key = `${protocol}/${hostIP}/${hostPort}`;
      if (taken.has(key)) errors.push(duplicate(path.index(i).child('ports').index(j).child('hostPort'), key));
      taken.add(key);
    }
  }
  return errors;
}

function validateCommon(container: core.Container, context: PodContext, path: FieldPath): FieldErrors {
  const { spec, volumes, isPod } = context;
  const { name, image = '' } = container;
  const errors = name ? dnsLabel(path.child('name'), name) : [required(path.child('name'))];
  if (image === '') errors.push(required(path.child('image')));
  if (isPod && image !== image.trim()) {
    errors.push(invalid(path.child('image'), image, 'must not have leading or trailing whitespace'));
  }
  const policies = ['File', 'FallbackToLogsOnError'];
  return [
    ...errors,
    ...oneOf(path.child('terminationMessagePolicy'), container.terminationMessagePolicy, policies),
    ...validatePorts(container.ports, path.child('ports')),
    ...validateEnv(container.env, path.child('env')),
    ...validateEnvFrom(container.envFrom, path.child('envFrom')),
    ...validateMounts(container, volumes, path.child('volumeMounts')),
    ...validateDevices(container, volumes, path.child('volumeDevices')),
    ...oneOf(path.child('imagePullPolicy'), container.imagePullPolicy, ['Always', 'IfNotPresent', 'Never']),
    ...validateResources(container.resources, path.child('resources')),
    ...validateClaims(container.resources?.claims, spec, path.child('resources', 'claims')),
    ...validateContainerSecurity(container.securityContext, spec.hostUsers !== false, path.child('securityContext')),
  ];
}

function validateClaims(
  claims: readonly core.ResourceClaim[] | undefined,
  spec: core.PodSpec,
  path: FieldPath,
): FieldErrors {
  const known = new Set((spec.resourceClaims ?? []).map((c) => c.name));
  return (claims ?? []).flatMap(({ name }, i) => {
    if (!name) return [required(path.index(i))];
    return known.has(name) ? [] : [notFound(path.index(i), name)];
  });
}

const restartPolicies = ['Always', 'Never', 'OnFailure'];

function validateRestartPolicy(container: core.Container, path: FieldPath): FieldErrors {
  const { restartPolicy, restartPolicyRules = [] } = container;
  const at = path.child('restartPolicy');
  if (restartPolicy !== undefined) {
    return restartPolicies.includes(restartPolicy) ? [] : [notSupported(at, restartPolicy, restartPolicies)];
  }
  if (restartPolicyRules.length === 0) return [];
  return [required(at, 'must specify restartPolicy when restart rules are used')];
}

/** What only a container that keeps running may have. */
function validateRunning(container: core.Container, { spec }: PodContext, path: FieldPath): FieldErrors {
  const grace = spec.terminationGracePeriodSeconds;
  return [
    ...validateLifecycle(container.lifecycle, grace, spec.os, path.child('lifecycle')),
    ...validateProbes(container, grace, path),
  ];
}

export function validateContainers(context: PodContext, path: FieldPath): FieldErrors {
  const containers = context.spec.containers ?? [];
  if (containers.length === 0) return [required(path)];
  const names = new Set<string>();
  const errors = containers.flatMap((container, i) => {
    const at = path.index(i);
    const taken = names.has(container.name) ? [duplicate(at.child('name'), container.name)] : [];
    names.add(container.name);
    return [
      ...validateCommon(container, context, at),
      ...taken,
      ...validateRunning(container, context, at),
      ...validateRestartPolicy(container, at),
    ];
  });
  return [...errors, ...hostPortConflicts(containers, path)];
}

const runningOnly = ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const;

export function validateInitContainers(context: PodContext, path: FieldPath): FieldErrors {
  const names = new Set((context.spec.containers ?? []).map((c) => c.name));
  return (context.spec.initContainers ?? []).flatMap((container, i) => {
    const at = path.index(i);
    const errors = [...validateCommon(container, context, at), ...validateRestartPolicy(container, at)];
    if (names.has(container.name)) errors.push(duplicate(at.child('name'), container.name));
    else if (container.name) names.add(container.name);
    errors.push(...hostPortConflicts([container], path));
    if (isSidecar(container)) return [...errors, ...validateRunning(container, context, at)];
    for (const field of runningOnly) {
      if (container[field] === undefined) continue;
      errors.push(forbidden(at.child(field), 'may not be set for init containers without restartPolicy=Always'));
    }
    return errors;
  });
}

const notEphemeral = ['ports', 'livenessProbe', 'readinessProbe', 'startupProbe', 'lifecycle', 'resizePolicy'] as const;

export function validateEphemeralContainers(context: PodContext, path: FieldPath): FieldErrors {
  const { spec } = context;
  const others = new Set([...(spec.containers ?? []), ...(spec.initContainers ?? [])].map((c) => c.name));
  const names = new Set(others);
  return (spec.ephemeralContainers ?? []).flatMap((container, i) => {
    const at = path.index(i);
    const errors = validateCommon(container, { ...context, isPod: true }, at);
    if (names.has(container.name)) errors.push(duplicate(at.child('name'), container.name));
    names.add(container.name);
    if (container.targetContainerName && !others.has(container.targetContainerName)) {
      errors.push(notFound(at.child('targetContainerName'), container.targetContainerName));
    }
    for (const field of notEphemeral) {
      if (container[field] === undefined) continue;
      errors.push(forbidden(at.child(field), 'cannot be set for an Ephemeral Container'));
    }
    return errors;
  });
}
