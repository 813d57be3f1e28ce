import { FieldPath } from '../errors.js';
import type * as apps from '../gen/apps-v1.js';
import type * as core from '../gen/core-v1.js';
import type * as meta from '../gen/meta-v1.js';
import { percentErrors } from '../names.js';
import { labelSelectorOf } from '../selectors.js';
import {
  complain,
  type FieldErrors,
  forbidden,
  immutable,
  invalid,
  nonnegative,
  notSupported,
  required,
  type Rules,
} from './common.js';
import { validateLabelSelector } from './label-selector.js';
import { validatePodTemplate } from './pod-spec.js';

const root = FieldPath.of('spec');
const statusPath = FieldPath.of('status');

/** The selector, the template, and whether they fit. Upstream says "deployment" for ReplicaSets too. */
function validateTemplate(selector: meta.LabelSelector | undefined, template: core.PodTemplateSpec): FieldErrors {
  const at = root.child('selector');
  const errors: FieldErrors = [];
  const count = Object.keys(selector?.matchLabels ?? {}).length + (selector?.matchExpressions?.length ?? 0);
  if (!selector) errors.push(required(at));
  else {
    errors.push(...validateLabelSelector(selector, at));
    if (count === 0) errors.push(invalid(at, selector, 'empty selector is invalid for deployment'));
  }
  const path = root.child('template');
  if (errors.length === 0 && !labelSelectorOf(selector).matches(template.metadata?.labels)) {
    const labels = template.metadata?.labels ?? null;
    errors.push(invalid(path.child('metadata', 'labels'), labels, '`selector` does not match template `labels`'));
  }
  errors.push(...validatePodTemplate(template, path));
  const policy = template.spec.restartPolicy;
  if (policy !== 'Always') errors.push(notSupported(path.child('spec', 'restartPolicy'), policy ?? '', ['Always']));
  if (template.spec.activeDeadlineSeconds !== undefined) {
    const message = 'activeDeadlineSeconds in ReplicaSet is not Supported';
    errors.push(forbidden(path.child('spec', 'activeDeadlineSeconds'), message));
  }
  return errors;
}

function validateDeployment({ spec }: apps.Deployment): FieldErrors {
  const { progressDeadlineSeconds: deadline, minReadySeconds = 0 } = spec;
  const errors = [
    ...nonnegative(root.child('replicas'), spec.replicas),
    ...validateTemplate(spec.selector, spec.template),
    ...validateStrategy(spec.strategy, root.child('strategy')),
    ...nonnegative(root.child('minReadySeconds'), minReadySeconds),
    ...nonnegative(root.child('revisionHistoryLimit'), spec.revisionHistoryLimit),
    ...nonnegative(root.child('progressDeadlineSeconds'), deadline),
  ];
  if (deadline !== undefined && deadline <= minReadySeconds) {
    errors.push(invalid(root.child('progressDeadlineSeconds'), deadline, 'must be greater than minReadySeconds'));
  }
  return errors;
}

function validateStrategy(strategy: apps.DeploymentStrategy, path: FieldPath): FieldErrors {
  const at = path.child('rollingUpdate');
  switch (strategy?.type) {
    case 'Recreate':
      if (!strategy.rollingUpdate) return [];
      return [forbidden(at, "may not be specified when strategy `type` is 'Recreate'")];
    case 'RollingUpdate':
      if (!strategy.rollingUpdate) return [required(at, 'this should be defaulted and never be nil')];
      return validateRollingUpdate(strategy.rollingUpdate, at);
    default:
      return [notSupported(path, strategy, ['Recreate', 'RollingUpdate'])];
  }
}

function intOrPercent(path: FieldPath, value: number | string | undefined): FieldErrors {
  if (typeof value === 'string') return complain(path, value, percentErrors(value));
  return nonnegative(path, value);
}

/** `25%` and `3` alike, as far as it matters: zero or not. */
function amountOf(value: number | string | undefined): number {
  return typeof value === 'string' ? Number.parseInt(value, 10) : (value ?? 0);
}

function validateRollingUpdate(update: apps.RollingUpdateDeployment, path: FieldPath): FieldErrors {
  const { maxUnavailable, maxSurge } = update;
  const errors = [
    ...intOrPercent(path.child('maxUnavailable'), maxUnavailable),
    ...intOrPercent(path.child('maxSurge'), maxSurge),
  ];
  const at = path.child('maxUnavailable');
  if (amountOf(maxUnavailable) === 0 && amountOf(maxSurge) === 0) {
    errors.push(invalid(at, maxUnavailable, 'may not be 0 when `maxSurge` is 0'));
  }
  if (typeof maxUnavailable === 'string' && amountOf(maxUnavailable) > 100) {
    errors.push(invalid(at, maxUnavailable, 'must not be greater than 100%'));
  }
  return errors;
}

type Counts = Partial<Record<string, number>>;

/** `limited` counts cannot be greater than `replicas`, nor what is available than what is ready. */
function validateCounts(counts: Counts, limited: readonly string[]): FieldErrors {
  const { replicas = 0, availableReplicas = 0, readyReplicas = 0 } = counts;
  const errors = Object.entries(counts).flatMap(([name, n]) => nonnegative(statusPath.child(name), n));
  for (const name of limited) {
    const value = counts[name] ?? 0;
    if (value > replicas) errors.push(invalid(statusPath.child(name), value, 'cannot be greater than status.replicas'));
  }
  if (availableReplicas > readyReplicas) {
    const message = 'cannot be greater than readyReplicas';
    errors.push(invalid(statusPath.child('availableReplicas'), availableReplicas, message));
  }
  return errors;
}

function numbersOf(status: object | undefined): Counts {
  return Object.fromEntries(Object.entries(status ?? {}).filter(([, value]) => typeof value === 'number')) as Counts;
}

function deploymentStatus({ status }: apps.Deployment, { status: old }: apps.Deployment): FieldErrors {
  const errors = validateCounts(numbersOf(status), ['updatedReplicas', 'readyReplicas', 'availableReplicas']);
  if ((status?.collisionCount ?? 0) < (old?.collisionCount ?? 0)) {
    errors.push(invalid(statusPath.child('collisionCount'), status.collisionCount, 'cannot be decremented'));
  }
  return errors;
}

export const deploymentRules: Rules = {
  create: validateDeployment,
  update: (deployment: apps.Deployment, old: apps.Deployment) => [
    ...validateDeployment(deployment),
    ...immutable(root.child('selector'), deployment.spec.selector, old.spec.selector),
  ],
  status: deploymentStatus,
};

function validateReplicaSet({ spec }: apps.ReplicaSet): FieldErrors {
  return [
    ...nonnegative(root.child('replicas'), spec.replicas),
    ...nonnegative(root.child('minReadySeconds'), spec.minReadySeconds),
    ...validateTemplate(spec.selector, spec.template),
  ];
}

export const replicaSetRules: Rules = {
  create: validateReplicaSet,
  update: (set: apps.ReplicaSet, old: apps.ReplicaSet) => [
    ...validateReplicaSet(set),
    ...immutable(root.child('selector'), set.spec.selector, old.spec.selector),
  ],
  status: ({ status }: apps.ReplicaSet) =>
    validateCounts(numbersOf(status), ['fullyLabeledReplicas', 'readyReplicas', 'availableReplicas']),
};
