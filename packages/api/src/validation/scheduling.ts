import type { FieldPath } from '../errors.js';
import type * as core from '../gen/core-v1.js';
import type * as meta from '../gen/meta-v1.js';
import { dns1123LabelErrors, dns1123SubdomainErrors, labelValueErrors } from '../names.js';
import {
  complain,
  duplicate,
  type FieldErrors,
  forbidden,
  invalid,
  notSupported,
  optionalOneOf,
  qualifiedName,
  required,
} from './common.js';
import { validateLabelSelector, validateRequirement } from './label-selector.js';

export const taintEffects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

export function validateTolerations(tolerations: readonly core.Toleration[] | undefined, path: FieldPath): FieldErrors {
  return (tolerations ?? []).flatMap((toleration, i) => validateToleration(toleration, path.index(i)));
}

function validateToleration(toleration: core.Toleration, path: FieldPath): FieldErrors {
  const { key, effect } = toleration;
  const operator: string = toleration.operator ?? '';
  const errors = key ? qualifiedName(path.child('key'), key) : [];
  if (!key && operator !== 'Exists') {
    const message = 'operator must be Exists when `key` is empty, which means "match all values and all keys"';
    errors.push(invalid(path.child('operator'), operator, message));
  }
  if (toleration.tolerationSeconds !== undefined && effect !== 'NoExecute') {
    const message = "effect must be 'NoExecute' when `tolerationSeconds` is set";
    errors.push(invalid(path.child('effect'), effect ?? '', message));
  }
  errors.push(...tolerationValue(toleration, path));
  if (effect && !taintEffects.includes(effect)) errors.push(notSupported(path.child('effect'), effect, taintEffects));
  return errors;
}

/** Upstream blames the operator for the value. */
function tolerationValue(toleration: core.Toleration, path: FieldPath): FieldErrors {
  const operator: string = toleration.operator ?? '';
  const { value = '' } = toleration;
  const at = path.child('operator');
  switch (operator) {
    case '':
    case 'Equal': {
      const complaints = labelValueErrors(value);
      return complaints.length > 0 ? [invalid(at, value, complaints.join(';'))] : [];
    }
    case 'Exists':
      return value ? [invalid(at, value, "value must be empty when `operator` is 'Exists'")] : [];
    case 'Lt':
    case 'Gt':
      return [notSupported(at, operator, ['Equal', 'Exists', 'Lt', 'Gt'])];
    default:
      return [notSupported(at, operator, ['Equal', 'Exists'])];
  }
}

export function validateAffinity(affinity: core.Affinity | undefined, path: FieldPath): FieldErrors {
  if (!affinity) return [];
  return [
    ...validateNodeAffinity(affinity.nodeAffinity, path.child('nodeAffinity')),
    ...validatePodAffinity(affinity.podAffinity, path.child('podAffinity')),
    ...validatePodAffinity(affinity.podAntiAffinity, path.child('podAntiAffinity')),
  ];
}

const requiredTerms = 'requiredDuringSchedulingIgnoredDuringExecution';
const preferredTerms = 'preferredDuringSchedulingIgnoredDuringExecution';

function weight(path: FieldPath, value: number): FieldErrors {
  return value > 0 && value <= 100 ? [] : [invalid(path, value, 'must be in the range 1-100')];
}

function validateNodeAffinity(affinity: core.NodeAffinity | undefined, path: FieldPath): FieldErrors {
  if (!affinity) return [];
  const errors: FieldErrors = [];
  const hard = affinity[requiredTerms];
  if (hard) errors.push(...validateNodeSelector(hard, path.child(requiredTerms)));
  for (const [i, term] of (affinity[preferredTerms] ?? []).entries()) {
    const at = path.child(preferredTerms).index(i);
    errors.push(...weight(at.child('weight'), term.weight));
    errors.push(...validateNodeSelectorTerm(term.preference, at.child('preference')));
  }
  return errors;
}

export function validateNodeSelector(selector: core.NodeSelector, path: FieldPath): FieldErrors {
  const at = path.child('nodeSelectorTerms');
  const terms = selector.nodeSelectorTerms ?? [];
  if (terms.length === 0) return [required(at, 'must have at least one node selector term')];
  return terms.flatMap((term, i) => validateNodeSelectorTerm(term, at.index(i)));
}

function validateNodeSelectorTerm(term: core.NodeSelectorTerm, path: FieldPath): FieldErrors {
  const labels = path.child('matchExpressions');
  const fields = path.child('matchFields');
  return [
    ...(term.matchExpressions ?? []).flatMap((r, i) => validateRequirement(r, labels.index(i), true)),
    ...(term.matchFields ?? []).flatMap((r, i) => validateNodeField(r, fields.index(i))),
  ];
}

function validateNodeField(requirement: core.NodeSelectorRequirement, path: FieldPath): FieldErrors {
  const { key, operator, values = [] } = requirement;
  const errors: FieldErrors = [];
  if (operator !== 'In' && operator !== 'NotIn') {
    errors.push(invalid(path.child('operator'), operator, 'not a valid selector operator'));
  } else if (values.length !== 1) {
    const message = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector";
    errors.push(required(path.child('values'), message));
  }
  if (key !== 'metadata.name') return [...errors, invalid(path.child('key'), key, 'not a valid field selector key')];
  const at = path.child('values');
  return [...errors, ...values.flatMap((value, i) => complain(at.index(i), value, dns1123SubdomainErrors(value)))];
}

function validatePodAffinity(affinity: core.PodAffinity | undefined, path: FieldPath): FieldErrors {
  if (!affinity) return [];
  const hard = path.child(requiredTerms);
  const soft = path.child(preferredTerms);
  return [
    ...(affinity[requiredTerms] ?? []).flatMap((term, i) => validatePodTerm(term, hard.index(i))),
    ...(affinity[preferredTerms] ?? []).flatMap((term, i) => [
      ...weight(soft.index(i).child('weight'), term.weight),
      ...validatePodTerm(term.podAffinityTerm, soft.index(i).child('podAffinityTerm')),
    ]),
  ];
}

function validatePodTerm(term: core.PodAffinityTerm, path: FieldPath): FieldErrors {
  const topology = path.child('topologyKey');
  return [
    ...validateLabelSelector(term.labelSelector, path.child('labelSelector')),
    ...validateLabelSelector(term.namespaceSelector, path.child('namespaceSelector')),
    ...(term.namespaces ?? []).flatMap((ns) => complain(path.child('namespace'), ns, dns1123LabelErrors(ns))),
    ...labelKeys(term.matchLabelKeys, term.labelSelector, path.child('matchLabelKeys')),
    ...labelKeys(term.mismatchLabelKeys, term.labelSelector, path.child('mismatchLabelKeys')),
    ...(term.topologyKey ? [] : [required(topology, 'can not be empty')]),
    ...qualifiedName(topology, term.topologyKey ?? ''),
  ];
}

function labelKeys(
  keys: readonly string[] = [],
  selector: meta.LabelSelector | undefined,
  path: FieldPath,
): FieldErrors {
  if (keys.length > 0 && !selector) return [forbidden(path, 'must not be specified when labelSelector is not set')];
  return keys.flatMap((key, i) => qualifiedName(path.index(i), key));
}

export function validateTopologySpread(
  constraints: readonly core.TopologySpreadConstraint[] | undefined,
  path: FieldPath,
): FieldErrors {
  const all = constraints ?? [];
  return all.flatMap((constraint, i) => {
    const at = path.index(i);
    const { maxSkew, topologyKey, whenUnsatisfiable, minDomains } = constraint;
    const errors: FieldErrors = [];
    if (maxSkew <= 0) errors.push(invalid(at.child('maxSkew'), maxSkew, 'must be greater than zero'));
    if (!topologyKey) errors.push(required(at.child('topologyKey'), 'can not be empty'));
    const actions = ['DoNotSchedule', 'ScheduleAnyway'];
    if (!actions.includes(whenUnsatisfiable)) {
      errors.push(notSupported(at.child('whenUnsatisfiable'), whenUnsatisfiable, actions));
    }
    const again = all
      .slice(i + 1)
      .some((c) => c.topologyKey === topologyKey && c.whenUnsatisfiable === whenUnsatisfiable);
    if (again) {
      const pair = `{${topologyKey}, ${whenUnsatisfiable}}`;
      errors.push(duplicate(at.child('{topologyKey, whenUnsatisfiable}'), pair));
    }
    if (minDomains !== undefined)
      errors.push(...validateMinDomains(minDomains, whenUnsatisfiable, at.child('minDomains')));
    return [
      ...errors,
      ...optionalOneOf(at.child('nodeAffinityPolicy'), constraint.nodeAffinityPolicy, ['Honor', 'Ignore']),
      ...optionalOneOf(at.child('nodeTaintsPolicy'), constraint.nodeTaintsPolicy, ['Honor', 'Ignore']),
      ...labelKeys(constraint.matchLabelKeys, constraint.labelSelector, at.child('matchLabelKeys')),
      ...validateLabelSelector(constraint.labelSelector, at.child('labelSelector')),
    ];
  });
}

function validateMinDomains(minDomains: number, action: string, path: FieldPath): FieldErrors {
  const errors = minDomains <= 0 ? [invalid(path, minDomains, 'must be greater than zero')] : [];
  if (action === 'DoNotSchedule') return errors;
  const message = `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${action}`;
  return [...errors, invalid(path, minDomains, message)];
}
