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

function validateRequirement(requirement: meta.LabelSelectorRequirement, path: FieldPath): FieldErrors {
  const { key, operator, values = [] } = requirement;
  const at = path.child('values');
  const errors: FieldErrors = [];
  if (operator === 'In' || operator === 'NotIn') {
    if (values.length === 0) errors.push(required(at, "must be specified when `operator` is 'In' or 'NotIn'"));
  } else if (operator === 'Exists' || operator === 'DoesNotExist') {
    if (values.length > 0) {
      errors.push(forbidden(at, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
    }
  } else errors.push(invalid(path.child('operator'), operator, 'not a valid selector operator'));
  return [
    ...errors,
    ...qualifiedName(path.child('key'), key),
    ...values.flatMap((value, i) => complain(at.index(i), value, labelValueErrors(value))),
  ];
}
