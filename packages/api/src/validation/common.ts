import { type FieldError, type FieldPath, fieldErrors } from '../errors.js';
import {
  dns1123LabelErrors,
  dns1123SubdomainErrors,
  portNameErrors,
  portNumberErrors,
  qualifiedNameErrors,
} from '../names.js';
import type { KubeObject } from '../resources.js';

/** The rules of one kind, beyond its metadata. Method syntax, so that functions of a kind's own type fit. */
export interface Rules {
  /** Complaints about a name, or about a prefix of one (`generateName`). DNS-1123 subdomains if absent. */
  readonly name?: (name: string) => string[];
  create?(object: KubeObject): FieldError[];
  update?(object: KubeObject, old: KubeObject): FieldError[];
  status?(object: KubeObject, old: KubeObject): FieldError[];
}

export type FieldErrors = FieldError[];

export const { required, invalid, notSupported, notFound, duplicate, forbidden, tooLong, tooMany } = fieldErrors;

export const immutableMessage = 'field is immutable';

/** One `Invalid` for each complaint. */
export function complain(path: FieldPath, value: unknown, complaints: readonly string[]): FieldErrors {
  return complaints.map((message) => invalid(path, value, message));
}

export function nonnegative(path: FieldPath, value: number | undefined): FieldErrors {
  return value !== undefined && value < 0 ? [invalid(path, value, 'must be greater than or equal to 0')] : [];
}

/** The checks of a union: at least one member, at most one. Returns the names of the members that are set. */
export function membersOf(union: object, names: readonly string[]): string[] {
  return names.filter((name) => (union as Record<string, unknown>)[name] !== undefined);
}

export function greaterThanZero(path: FieldPath, value: number): FieldErrors {
  return value > 0 ? [] : [invalid(path, value, 'must be greater than 0')];
}

/** A DNS label, as upstream's `ValidateDNS1123Label`. */
export function dnsLabel(path: FieldPath, value: string): FieldErrors {
  return complain(path, value, dns1123LabelErrors(value));
}

export function dnsSubdomain(path: FieldPath, value: string): FieldErrors {
  return complain(path, value, dns1123SubdomainErrors(value));
}

export function qualifiedName(path: FieldPath, value: string): FieldErrors {
  return complain(path, value, qualifiedNameErrors(value));
}

/** A port by number or by name. */
export function portNumberOrName(path: FieldPath, port: number | string | undefined): FieldErrors {
  if (typeof port === 'string') return complain(path, port, portNameErrors(port));
  return complain(path, port ?? 0, portNumberErrors(port ?? 0));
}

/** A text that must not be empty. */
export function present(path: FieldPath, value: string | undefined): FieldErrors {
  return value ? [] : [required(path)];
}

/** An enumerated text that must be there. `supported` is listed as given: sorted where upstream has a set. */
export function oneOf(path: FieldPath, value: string | undefined, supported: readonly string[]): FieldErrors {
  if (!value) return [required(path)];
  return supported.includes(value) ? [] : [notSupported(path, value, supported)];
}

/** The same, but the text may be absent. */
export function optionalOneOf(path: FieldPath, value: string | undefined, supported: readonly string[]): FieldErrors {
  return value === undefined ? [] : oneOf(path, value, supported);
}

/** Deep equality in which absent, `undefined` and empty lists and maps are the same (upstream's `Semantic.DeepEqual`). */
export function semanticEqual(a: unknown, b: unknown): boolean {
  if (a === b || (isEmpty(a) && isEmpty(b))) return true;
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((x, i) => semanticEqual(x, b[i]));
  }
  if (!isRecord(a) || !isRecord(b)) return false;
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].every((key) => semanticEqual(a[key], b[key]));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** Empty lists and maps count as absent; an empty struct behind a pointer does not differ in what it says. */
function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  return isRecord(value) && Object.keys(value).length === 0;
}

export function immutable(path: FieldPath, now: unknown, before: unknown): FieldErrors {
  return semanticEqual(now, before) ? [] : [invalid(path, now, immutableMessage)];
}

/** Reports every key that occurs again. */
export function duplicates<T>(
  items: readonly T[],
  keyOf: (item: T) => string | undefined,
  path: (index: number) => FieldPath,
): FieldErrors {
  const seen = new Set<string>();
  const errors: FieldErrors = [];
  for (const [i, item] of items.entries()) {
    const key = keyOf(item);
    if (!key) continue;
    if (seen.has(key)) errors.push(duplicate(path(i), key));
    seen.add(key);
  }
  return errors;
}
