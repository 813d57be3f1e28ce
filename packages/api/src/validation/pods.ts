import { FieldPath } from '../errors.js';
import type * as core from '../gen/core-v1.js';
import { dns1123SubdomainErrors, ipErrors, ipFamily, rangeMessage } from '../names.js';
import { isSidecar } from '../pods.js';
import {
  complain,
  type FieldErrors,
  forbidden,
  immutable,
  invalid,
  notSupported,
  qualifiedName,
  required,
  type Rules,
  semanticEqual,
} from './common.js';
import { validatePodSpec } from './pod-spec.js';
import { validateTolerations } from './scheduling.js';

const path = FieldPath.of('spec');
const status = FieldPath.of('status');
const maxInt32 = 2 ** 31 - 1;

/** A token of no account is none. */
function validateTokens(spec: core.PodSpec): FieldErrors {
  if (spec.serviceAccountName) return [];
  return (spec.volumes ?? []).flatMap((volume, i) =>
    (volume.projected?.sources ?? []).flatMap(({ serviceAccountToken }, j) => {
      const at = path.child('volumes').index(i).child('projected', 'sources').index(j).child('serviceAccountToken');
      return serviceAccountToken ? [forbidden(at, 'must not be specified when serviceAccountName is not set')] : [];
    }),
  );
}

function create(pod: core.Pod): FieldErrors {
  const errors = [...validatePodSpec(pod.spec, path, true), ...validateTokens(pod.spec)];
  if (pod.spec.ephemeralContainers?.length) {
    errors.push(forbidden(path.child('ephemeralContainers'), 'cannot be set on create'));
  }
  if (pod.spec.nodeName && pod.spec.schedulingGates?.length) {
    errors.push(forbidden(path.child('nodeName'), 'cannot be set until all schedulingGates have been cleared'));
  }
  return errors;
}

function update(pod: core.Pod, old: core.Pod): FieldErrors {
  const errors = [...validatePodSpec(pod.spec, path, true), ...validateTokens(pod.spec)];
  for (const field of ['containers', 'initContainers'] as const) {
    if ((pod.spec[field]?.length ?? 0) === (old.spec[field]?.length ?? 0)) continue;
    return [...errors, forbidden(path.child(field), 'pod updates may not add or remove containers')];
  }
  const deadline = validateDeadlineUpdate(pod.spec.activeDeadlineSeconds, old.spec.activeDeadlineSeconds);
  if (deadline.length > 0 && pod.spec.activeDeadlineSeconds !== undefined) return [...errors, ...deadline];
  return [
    ...errors,
    ...deadline,
    ...validateAddedTolerations(pod.spec.tolerations ?? [], old.spec.tolerations ?? []),
    ...validateRemovedGates(pod.spec.schedulingGates ?? [], old.spec.schedulingGates ?? []),
    ...validateRest(pod.spec, old.spec),
  ];
}

function validateDeadlineUpdate(now: number | undefined, before: number | undefined): FieldErrors {
  const at = path.child('activeDeadlineSeconds');
  if (now === undefined) {
    return before === undefined ? [] : [invalid(at, null, 'must not update from a positive integer to nil value')];
  }
  if (now < 0 || now > maxInt32) return [invalid(at, now, rangeMessage(0, maxInt32))];
  return before !== undefined && before < now ? [invalid(at, now, 'must be less than or equal to previous value')] : [];
}

function validateAddedTolerations(now: core.Toleration[], before: core.Toleration[]): FieldErrors {
  const at = path.child('tolerations');
  const kept = before.every((old) => {
    return now.some((t) => semanticEqual(t, { ...old, tolerationSeconds: t.tolerationSeconds }));
  });
  if (kept) return validateTolerations(now, at);
  return [forbidden(at, 'existing toleration can not be modified except its tolerationSeconds')];
}

function validateRemovedGates(now: core.PodSchedulingGate[], before: core.PodSchedulingGate[]): FieldErrors {
  return now.flatMap(({ name }, i) => {
    if (before.some((gate) => gate.name === name)) return [];
    const message = `only deletion is allowed, but found new scheduling gate '${name}'`;
    return [forbidden(path.child('schedulingGates').index(i).child('name'), message)];
  });
}

const updatable = [
  '`spec.containers[*].image`',
  '`spec.initContainers[*].image`',
  '`spec.activeDeadlineSeconds`',
  '`spec.tolerations` (only additions to existing tolerations)',
  '`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
].join(',');

/** The spec with everything that may change put back to what it was. */
function masked(now: core.PodSpec, before: core.PodSpec): core.PodSpec {
  const images = (list: core.Container[] | undefined, old: core.Container[] | undefined): core.Container[] =>
    (list ?? []).map((container, i) => ({ ...container, image: old?.[i]?.image ?? '' }));
  const grace = before.terminationGracePeriodSeconds ?? 0;
  const mayShorten = grace < 0 && now.terminationGracePeriodSeconds === 1;
  const gated = (before.schedulingGates?.length ?? 0) > 0;
  return {
    ...now,
    containers: images(now.containers, before.containers),
    initContainers: images(now.initContainers, before.initContainers),
    activeDeadlineSeconds: before.activeDeadlineSeconds,
    schedulingGates: before.schedulingGates,
    tolerations: before.tolerations,
    ...(mayShorten ? { terminationGracePeriodSeconds: grace } : {}),
    ...(gated ? { nodeSelector: before.nodeSelector, affinity: maskedAffinity(now.affinity, before.affinity) } : {}),
  };
}

function maskedAffinity(now: core.Affinity | undefined, before: core.Affinity | undefined): object {
  return { ...now, nodeAffinity: before?.nodeAffinity };
}

function validateRest(now: core.PodSpec, before: core.PodSpec): FieldErrors {
  const errors: FieldErrors = [];
  if (before.schedulingGates?.length) {
    const kept = Object.entries(before.nodeSelector ?? {}).every(([key, value]) => now.nodeSelector?.[key] === value);
    if (!kept) {
      const message = 'only additions to spec.nodeSelector are allowed (no mutations or deletions)';
      errors.push(invalid(path.child('nodeSelector'), now.nodeSelector, message));
    }
  }
  const rest = masked(now, before);
  if (semanticEqual(rest, before)) return errors;
  const changed = [...new Set([...Object.keys(rest), ...Object.keys(before)])].filter(
    (key) => !semanticEqual(rest[key as keyof core.PodSpec], before[key as keyof core.PodSpec]),
  );
  const difference = changed.map((key) => differenceOf(key, before, rest)).join('');
  return [...errors, forbidden(path, `pod updates may not change fields other than ${updatable}\n${difference}`)];
}

/** Upstream shows a structural diff; the changed top-level fields say as much here. */
function differenceOf(key: string, before: core.PodSpec, after: core.PodSpec): string {
  const show = (spec: core.PodSpec): string => JSON.stringify(spec[key as keyof core.PodSpec]) ?? 'null';
  return `  ${key}:\n- ${show(before)}\n+ ${show(after)}\n`;
}

const systemConditions = new Set(['PodScheduled', 'Ready', 'Initialized']);

function statusUpdate(pod: core.Pod, old: core.Pod): FieldErrors {
  const { conditions = [], nominatedNodeName } = pod.status;
  const errors = conditions.flatMap(({ type }, i) => {
    return systemConditions.has(type) ? [] : qualifiedName(status.child('conditions').index(i).child('Type'), type);
  });
  if (pod.spec.nodeName !== old.spec.nodeName) {
    errors.push(forbidden(status.child('nodeName'), 'may not be changed directly'));
  }
  if (nominatedNodeName && nominatedNodeName !== old.status.nominatedNodeName) {
    const at = status.child('nominatedNodeName');
    errors.push(...complain(at, nominatedNodeName, dns1123SubdomainErrors(nominatedNodeName)));
  }
  if (old.status.qosClass)
    errors.push(...immutable(status.child('qosClass'), pod.status.qosClass, old.status.qosClass));
  return [
    ...errors,
    ...validateTransitions(pod, old, 'containerStatuses', old.spec.containers),
    ...validateTransitions(pod, old, 'initContainerStatuses', old.spec.initContainers ?? []),
    ...validateIps(pod.status.podIPs ?? [], status.child('podIPs')),
    ...validateHostIps(pod.status),
  ];
}

/** What has ended for good must not run again. */
function validateTransitions(
  pod: core.Pod,
  old: core.Pod,
  field: 'containerStatuses' | 'initContainerStatuses',
  containers: readonly core.Container[],
): FieldErrors {
  return (old.status[field] ?? []).flatMap((before, i) => {
    const ended = before.state?.terminated;
    const now = pod.status[field]?.find((s) => s.name === before.name);
    if (!ended || !now || now.state?.terminated) return [];
    const container = containers.find((c) => c.name === before.name);
    if (container && mayRestart(container, old.spec, ended.exitCode)) return [];
    const at = status.child(field).index(i).child('state');
    return [forbidden(at, 'may not be transitioned to non-terminated state')];
  });
}

function mayRestart(container: core.Container, spec: core.PodSpec, exitCode: number): boolean {
  if (isSidecar(container) || container.restartPolicyRules?.length) return true;
  const policy = container.restartPolicy ?? spec.restartPolicy ?? 'Always';
  return policy === 'Always' || (policy === 'OnFailure' && exitCode !== 0);
}

function validateIps(ips: readonly { ip: string }[], at: FieldPath): FieldErrors {
  const errors = ips.flatMap(({ ip }, i) => complain(at.index(i), ip, ipErrors(ip)));
  const families = new Set(ips.map(({ ip }) => ipFamily(ip)));
  if (ips.length > 1 && (ips.length > 2 || families.size !== 2)) {
    errors.push(invalid(at, ips, 'may specify no more than one IP for each IP family'));
  }
  return errors;
}

function validateHostIps({ hostIP, hostIPs }: core.PodStatus): FieldErrors {
  if (!hostIPs?.length) return [];
  const at = status.child('hostIPs');
  const errors = validateIps(hostIPs, at);
  const first = hostIPs[0]!.ip;
  if (hostIP !== first) errors.push(invalid(at.index(0).child('ip'), first, 'must be equal to `hostIP`'));
  return errors;
}

export const podRules: Rules = { create, update, status: statusUpdate };

/** Upstream's `ValidatePodBinding`, for the `binding` subresource. */
export function validateBinding(binding: core.Binding): FieldErrors {
  const { kind, name } = binding.target;
  const errors: FieldErrors = [];
  if (kind && kind !== 'Node') errors.push(notSupported(FieldPath.of('target', 'kind'), kind, ['Node', '<empty>']));
  if (!name) errors.push(required(FieldPath.of('target', 'name')));
  return errors;
}
