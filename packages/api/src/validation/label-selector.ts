import type { FieldPath } from '../errors.js';
import type * as meta from '../gen/meta-v1.js';
import { labelValueErrors } from '../names.js';
import { complain, type FieldErrors, forbidden, invalid, qualifiedName, required } from './common.js';
import { validateLabels } from './metadata.js';

/** Upstream's `ValidateLabelSelector`. An absent selector is for the caller to judge. */
export function validateLabelSelector(selector: meta.LabelSelector | undefined, path: FieldPath): FieldErrors {
  if (!selector) return [];
  const errors = validateLabels(selector.matchLabels, path.child('matchLabels'));
  for (const [i, requirement] of (selector.matchExpressions ?? []).entries()) {
    errors.push(...validateRequirement(requirement, path.child('matchExpressions').index(i)));
  }
  return errors;
}

interface SetRequirement {
  readonly key: string;
  readonly operator: string;
  readonly values?: readonly string[];
}

/** One requirement of a label or node selector; `ordered`: nodes can also be compared by `Gt` and `Lt`. */
export function validateRequirement(requirement: SetRequirement, path: FieldPath, ordered = false): FieldErrors {
  const { key, operator, values = [] } = requirement;
  const at = path.child('values');
  return [
    ...validateOperator(operator, values.length, path, ordered),
    ...qualifiedName(path.child('key'), key),
    ...values.flatMap((value, i) => complain(at.index(i), value, labelValueErrors(value))),
  ];
}

/** How many values an operator takes. */
function validateOperator(operator: string, count: number, path: FieldPath, ordered: boolean): FieldErrors {
  const at = path.child('values');
  switch (operator) {
    case 'In':
    case 'NotIn':
      return count > 0 ? [] : [required(at, "must be specified when `operator` is 'In' or 'NotIn'")];
    case 'Exists':
    case 'DoesNotExist':
      if (count === 0) return [];
      return [forbidden(at, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")];
    case 'Gt':
    case 'Lt':
      if (!ordered) break;
      return count === 1 ? [] : [required(at, "must be specified single value when `operator` is 'Lt' or 'Gt'")];
  }
  return [invalid(path.child('operator'), operator, 'not a valid selector operator')];
}
