import type { FieldPath } from '../errors.js';
import type * as core from '../gen/core-v1.js';
import { qualifiedNameErrors } from '../names.js';
import { type Quantity, tryQuantity } from '../quantity.js';
import { complain, type FieldErrors, invalid, required } from './common.js';

type NameCheck = (path: FieldPath, name: string) => FieldErrors;

/** Resources that are counted, one by one. */
const countedNames = new Set([
  'pods',
  'resourcequotas',
  'services',
  'replicationcontrollers',
  'secrets',
  'configmaps',
  'persistentvolumeclaims',
  'services.nodeports',
  'services.loadbalancers',
]);
const measuredNames = ['cpu', 'memory', 'ephemeral-storage', 'storage'];
const standardNames = new Set([...countedNames, ...measuredNames.flatMap((n) => [n, `requests.${n}`, `limits.${n}`])]);

const isHugePage = (name: string): boolean => name.startsWith('hugepages-');
const isNative = (name: string): boolean => !name.includes('/') || name.includes('kubernetes.io/');

function isExtended(name: string): boolean {
  return !isNative(name) && !name.startsWith('requests.') && qualifiedNameErrors(`requests.${name}`).length === 0;
}

/** What can be promised more often than it is there. */
const mayOvercommit = (name: string): boolean => isNative(name) && !isHugePage(name);

function resourceName(path: FieldPath, name: string): FieldErrors {
  const errors = complain(path, name, qualifiedNameErrors(name));
  if (errors.length > 0 || name.includes('/') || standardNames.has(name) || isHugePage(name)) return errors;
  return [invalid(path, name, 'must be a standard resource type or fully qualified')];
}

const containerNames = new Set(['cpu', 'memory', 'ephemeral-storage']);

export function containerResourceName(path: FieldPath, name: string): FieldErrors {
  const errors = resourceName(path, name);
  if (!name.includes('/')) {
    if (!containerNames.has(name) && !isHugePage(name)) {
      errors.push(invalid(path, name, 'must be a standard resource for containers'));
    }
  } else if (!isNative(name) && !isExtended(name)) {
    errors.push(invalid(path, name, "doesn't follow extended resource name standard"));
  }
  return errors;
}

/** Upstream's `ValidateResourceQuantityValue`: never negative, whole where things are counted. */
export function quantityValue(path: FieldPath, name: string, text: string): FieldErrors {
  const amount = tryQuantity(text);
  if (!amount) return [invalid(path, text, 'must be a valid resource quantity')];
  const errors: FieldErrors = [];
  if (amount.sign() < 0) errors.push(invalid(path, amount.toString(), 'must be greater than or equal to 0'));
  if ((countedNames.has(name) || isExtended(name)) && !amount.isInteger()) {
    errors.push(invalid(path, amount.toString(), 'must be an integer'));
  }
  return errors;
}

export function positiveQuantity(path: FieldPath, text: string): FieldErrors {
  const amount = tryQuantity(text);
  if (amount && amount.sign() > 0) return [];
  return [invalid(path, amount?.toString() ?? text, 'must be greater than zero')];
}

function hugePageValue(path: FieldPath, name: string, amount: Quantity): FieldErrors {
  const unit = isHugePage(name) ? tryQuantity(name.slice('hugepages-'.length)) : undefined;
  if (!isHugePage(name) || (unit && unit.value() > 0 && amount.value() % unit.value() === 0)) return [];
  return [invalid(path, amount.toString(), `${amount} is not positive integer multiple of ${name}`)];
}

function amountErrors(path: FieldPath, name: string, text: string, check: NameCheck): FieldErrors {
  const amount = tryQuantity(text);
  return [
    ...check(path, name),
    ...quantityValue(path, name, text),
    ...(amount ? hugePageValue(path, name, amount) : []),
  ];
}

function againstLimit(path: FieldPath, name: string, text: string, limitText: string | undefined): FieldErrors {
  const amount = tryQuantity(text);
  const limit = tryQuantity(limitText);
  if (!amount) return [];
  if (limitText === undefined) {
    if (mayOvercommit(name)) return [];
    return [required(path.child('limits'), 'Limit must be set for non overcommitable resources')];
  }
  if (!limit) return [];
  const order = amount.compare(limit);
  const at = path.child('requests');
  if (order !== 0 && !mayOvercommit(name)) {
    return [invalid(at, amount.toString(), `must be equal to ${name} limit of ${limit}`)];
  }
  return order > 0 ? [invalid(at, amount.toString(), `must be less than or equal to ${name} limit of ${limit}`)] : [];
}

/** Upstream's `ValidateContainerResourceRequirements`. */
export function validateResources(
  resources: core.ResourceRequirements | undefined,
  path: FieldPath,
  check: NameCheck = containerResourceName,
): FieldErrors {
  const { limits = {}, requests = {} } = resources ?? {};
  const errors: FieldErrors = [];
  for (const [name, text] of Object.entries(limits)) {
    errors.push(...amountErrors(path.child('limits').key(name), name, text, check));
  }
  for (const [name, text] of Object.entries(requests)) {
    errors.push(...amountErrors(path.child('requests').key(name), name, text, check));
    errors.push(...againstLimit(path, name, text, limits[name]));
  }
  return errors;
}
