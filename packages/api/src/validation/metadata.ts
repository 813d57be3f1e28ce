import { FieldPath } from '../errors.js';
import type * as meta from '../gen/meta-v1.js';
import {
  byteLength,
  dns1123LabelErrors,
  dns1123SubdomainErrors,
  labelValueErrors,
  qualifiedNameErrors,
} from '../names.js';
import { complain, type FieldErrors, forbidden, immutable, invalid, nonnegative, required, tooLong } from './common.js';

const maxAnnotationBytes = 256 * 1024;
const root = FieldPath.of('metadata');

/** A prefix may end in a dash: the server appends to it. */
function maskTrailingDash(prefix: string): string {
  return prefix.length > 1 && prefix.endsWith('-') ? `${prefix.slice(0, -2)}a` : prefix;
}

/** Upstream's `ValidateObjectMeta`; the server has already turned `generateName` into a name. */
export function validateMetadata(
  metadata: meta.ObjectMeta,
  namespaced: boolean,
  nameErrors: (name: string) => string[] = dns1123SubdomainErrors,
): FieldErrors {
  const { name, generateName, namespace } = metadata;
  const errors: FieldErrors = [];
  if (generateName) {
    errors.push(...complain(root.child('generateName'), generateName, nameErrors(maskTrailingDash(generateName))));
  }
  if (!name) errors.push(required(root.child('name'), 'name or generateName is required'));
  else errors.push(...complain(root.child('name'), name, nameErrors(name)));
  if (!namespaced) {
    if (namespace) errors.push(forbidden(root.child('namespace'), 'not allowed on this type'));
  } else if (!namespace) errors.push(required(root.child('namespace')));
  else errors.push(...complain(root.child('namespace'), namespace, dns1123LabelErrors(namespace)));
  return [...errors, ...validateCommon(metadata)];
}

/** What is checked on creation and update alike. */
function validateCommon(metadata: meta.ObjectMeta): FieldErrors {
  return [
    ...nonnegative(root.child('generation'), metadata.generation),
    ...validateLabels(metadata.labels, root.child('labels')),
    ...validateAnnotations(metadata.annotations, root.child('annotations')),
    ...validateOwners(metadata.ownerReferences ?? [], root.child('ownerReferences')),
    ...validateFinalizers(metadata.finalizers ?? [], root.child('finalizers')),
  ];
}

export function validateLabels(labels: Record<string, string> | undefined, path: FieldPath): FieldErrors {
  return Object.entries(labels ?? {}).flatMap(([key, value]) => [
    ...complain(path, key, qualifiedNameErrors(key)),
    ...complain(path, value, labelValueErrors(value)),
  ]);
}

export function validateAnnotations(annotations: Record<string, string> | undefined, path: FieldPath): FieldErrors {
  const entries = Object.entries(annotations ?? {});
  const errors = entries.flatMap(([key]) => complain(path, key, qualifiedNameErrors(key.toLowerCase())));
  const bytes = entries.reduce((sum, [key, value]) => sum + byteLength(key) + byteLength(value), 0);
  if (bytes > maxAnnotationBytes) errors.push(tooLong(path, maxAnnotationBytes));
  return errors;
}

/** Upstream names the list, not the item. */
function validateOwners(owners: readonly meta.OwnerReference[], path: FieldPath): FieldErrors {
  const errors: FieldErrors = [];
  let controller: string | undefined;
  for (const owner of owners) {
    const version = owner.apiVersion?.split('/').at(-1);
    if (!version) errors.push(invalid(path.child('apiVersion'), owner.apiVersion ?? '', 'version must not be empty'));
    for (const key of ['kind', 'name', 'uid'] as const) {
      if (!owner[key]) errors.push(invalid(path.child(key), owner[key] ?? '', `${key} must not be empty`));
    }
    if (owner.apiVersion === 'v1' && owner.kind === 'Event') {
      errors.push(invalid(path, owner, '/v1, Kind=Event is disallowed from being an owner'));
    }
    if (!owner.controller) continue;
    const name = `${owner.kind}/${owner.name}`;
    if (controller !== undefined) {
      const found = `Found "true" in references for ${controller} and ${name}`;
      errors.push(invalid(path, owners, `Only one reference can have Controller set to true. ${found}`));
    }
    controller ??= name;
  }
  return errors;
}

const standardFinalizers = new Set(['kubernetes', 'orphan', 'foregroundDeletion']);

function validateFinalizers(finalizers: readonly string[], path: FieldPath): FieldErrors {
  const errors: FieldErrors = [];
  for (const [i, finalizer] of finalizers.entries()) {
    const complaints = qualifiedNameErrors(finalizer);
    errors.push(...complain(path, finalizer, complaints));
    if (!finalizer.includes('/') && !standardFinalizers.has(finalizer)) {
      const message = 'name is neither a standard finalizer name nor is it fully qualified';
      errors.push(invalid(path.index(i), finalizer, message));
    }
  }
  if (finalizers.includes('orphan') && finalizers.includes('foregroundDeletion')) {
    errors.push(invalid(path, finalizers, 'finalizer orphan and foregroundDeletion cannot be both set'));
  }
  return errors;
}

/** Go's `%#v` of a list of strings. */
function goStrings(items: readonly string[]): string {
  return `[]string{${items.map((item) => JSON.stringify(item)).join(', ')}}`;
}

/** Upstream's `ValidateObjectMetaUpdate`. What the new object leaves out of the system's own fields it does not change. */
export function validateMetadataUpdate(metadata: meta.ObjectMeta, old: meta.ObjectMeta): FieldErrors {
  const errors: FieldErrors = [];
  if (old.deletionTimestamp) {
    const added = (metadata.finalizers ?? []).filter((f) => !old.finalizers?.includes(f)).sort();
    if (added.length > 0) {
      const message = `no new finalizers can be added if the object is being deleted, found new finalizers ${goStrings(added)}`;
      errors.push(forbidden(root.child('finalizers'), message));
    }
  }
  const fixed = [
    'name',
    'namespace',
    'uid',
    'creationTimestamp',
    'deletionTimestamp',
    'deletionGracePeriodSeconds',
  ] as const;
  for (const key of fixed) {
    const isOwn = key === 'name' || key === 'namespace' || metadata[key] !== undefined;
    if (isOwn) errors.push(...immutable(root.child(key), metadata[key], old[key]));
  }
  if ((metadata.generation ?? old.generation ?? 0) < (old.generation ?? 0)) {
    errors.push(invalid(root.child('generation'), metadata.generation, 'must not be decremented'));
  }
  return [...errors, ...validateCommon(metadata)];
}
