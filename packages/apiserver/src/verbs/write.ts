import {
  alreadyExists,
  badRequest,
  conflict,
  decodeJson,
  type FieldError,
  fieldErrors,
  FieldPath,
  formatTime,
  generateNameConflict,
  invalid,
  type JsonObject,
  type KubeObject,
  type ResourceInfo,
  setDefaults,
  StatusError,
  validateCreate,
  validateStatusUpdate,
  validateUpdate,
} from '@flotilla/api';
import { type Clock, nameSuffix, type Random } from '@flotilla/base';
import { check as checkAdmission, mutate } from '../admission/admit.js';
import type { Admission, AdmissionStep } from '../admission/step.js';
import type { Call } from '../call.js';
import { equalJson } from '../equal.js';
import { endsByUpdate } from '../lifecycle/delete.js';
import { traitsOf } from '../lifecycle/strategy.js';
import { initialStatus, prepareCreate, prepareStatusUpdate, prepareUpdate } from '../lifecycle/write.js';
import type { Objects } from '../storage.js';

/** What the writing verbs need. */
export interface WriteDeps {
  objects: Objects;
  steps: readonly AdmissionStep[];
  clock: Clock;
  random: Random;
  newUid(): string;
}

/** How an update treats the object that is there: as a whole, its status alone, or as the subresource itself decides. */
export type UpdateMode = 'object' | 'status' | 'as-is';

export interface Written {
  object: KubeObject;
  created: boolean;
}

/** Upstream gives up on a generated name after 8 tries. */
const nameAttempts = 8;
/** Longest part of a generated name before its suffix. */
const maxGeneratedBase = 58;
/** How often an update without a resourceVersion is tried again when someone else was faster. */
const updateAttempts = 8;

function admissionOf(call: Call, operation: Admission['operation'], name: string): Admission {
  return {
    operation,
    user: call.user,
    info: call.info,
    subresource: call.target.subresource,
    namespace: call.target.namespace,
    name,
    object: undefined,
    before: undefined,
    warnings: call.warnings,
    afterwards: [],
  };
}

/** Throws 400 when the body speaks of another place than the URL. */
export function checkPlace(call: Call, object: KubeObject): void {
  const { namespace, name } = object.metadata;
  if (call.info.namespaced && namespace && namespace !== call.target.namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
  if (call.target.name && name && name !== call.target.name) {
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${call.target.name})`);
  }
}

function refuse(info: ResourceInfo, name: string, errors: readonly FieldError[]): void {
  if (errors.length > 0) throw invalid(info, name, errors);
}

/** The object in canonical form: a copy of its own, in order of declaration, nothing empty that may be absent. */
function canonical(info: ResourceInfo, object: KubeObject): KubeObject {
  return decodeJson<KubeObject>(info.schema, object as object as JsonObject).value;
}

/** default → mutate → default again (what was injected has defaults too) → admit → validate → validating admission. */
function admit(
  deps: WriteDeps,
  admission: Admission,
  check: (object: KubeObject) => readonly FieldError[],
): KubeObject {
  const { info } = admission;
  const given = canonical(info, admission.object!);
  setDefaults(info, given);
  admission.object = given;
  mutate(deps.steps, admission, deps.objects);
  if (admission.object !== given) setDefaults(info, (admission.object = canonical(info, admission.object)));
  const finished = admission.operation === 'CREATE' ? initialStatus(info, admission.object) : admission.object;
  const object = canonical(info, finished);
  admission.object = object;
  checkAdmission('admit', deps.steps, admission, deps.objects);
  refuse(info, object.metadata.name ?? '', check(object));
  checkAdmission('validate', deps.steps, admission, deps.objects);
  return object;
}

/** CREATE. */
export async function create(call: Call, given: KubeObject, deps: WriteDeps): Promise<Written> {
  const { info, target, dryRun } = call;
  checkPlace(call, given);
  if (given.metadata.resourceVersion) throw badRequest('resourceVersion should not be set on objects to be created');
  const { name = '', generateName = '' } = given.metadata;
  for (let attempt = 1; ; attempt++) {
    const chosen = name || (generateName && generateName.slice(0, maxGeneratedBase) + nameSuffix(deps.random));
    const birth = { name: chosen, namespace: target.namespace, uid: deps.newUid(), now: formatTime(deps.clock.now()) };
    const admission = admissionOf(call, 'CREATE', name);
    admission.object = prepareCreate(info, given, birth);
    try {
      const object = admit(deps, admission, (o) => validateCreate(info, o));
      if (deps.objects.find(info, target.namespace, chosen)) throw alreadyExists(info, chosen);
      return { object: dryRun ? object : await deps.objects.create(info, object), created: true };
    } catch (error) {
      const taken = error instanceof StatusError && error.reason === 'AlreadyExists';
      if (!taken || name !== '') throw error;
      if (attempt === nameAttempts) throw generateNameConflict(info, chosen);
    } finally {
      for (const undo of admission.afterwards) undo();
    }
  }
}

/** Throws 409 when the new state names another incarnation or revision than the one that is there. */
function checkPreconditions(call: Call, next: KubeObject, before: KubeObject): void {
  const { uid, resourceVersion } = next.metadata;
  if (uid && uid !== before.metadata.uid) {
    const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${before.metadata.uid}`;
    throw conflict(call.info, call.target.name, why);
  }
  if (resourceVersion && resourceVersion !== before.metadata.resourceVersion) {
    throw conflict(call.info, call.target.name);
  }
}

const prepare = { object: prepareUpdate, status: prepareStatusUpdate };

/** Makes and persists one new state; undefined when someone else wrote in between. */
async function updateOnce(
  call: Call,
  before: KubeObject,
  next: KubeObject,
  mode: UpdateMode,
  deps: WriteDeps,
): Promise<KubeObject | undefined> {
  const { info, target } = call;
  checkPlace(call, next);
  checkPreconditions(call, next, before);
  const admission = admissionOf(call, 'UPDATE', target.name);
  admission.before = before;
  admission.object = mode === 'as-is' ? next : prepare[mode](info, next, before);
  const check = mode === 'status' ? validateStatusUpdate : validateUpdate;
  try {
    let object = admit(deps, admission, (o) => (mode === 'as-is' ? [] : check(info, o, before)));
    // Defaults and admission may have brought back what the client left out: the generation follows the outcome.
    if (mode === 'object') object = prepareUpdate(info, object, before);
    if (equalJson(object, before)) return before;
    checkNewFinalizers(call, object, before);
    if (call.dryRun) return object;
    return await (endsByUpdate(info, object)
      ? deps.objects.remove(info, before)
      : deps.objects.replace(info, object, before));
  } finally {
    for (const undo of admission.afterwards) undo();
  }
}

/** Nobody may hold up a deletion that has begun (apimachinery `ValidateObjectMetaUpdate`). */
function checkNewFinalizers(call: Call, object: KubeObject, before: KubeObject): void {
  if (before.metadata.deletionTimestamp === undefined) return;
  const old = before.metadata.finalizers ?? [];
  const added = (object.metadata.finalizers ?? []).filter((f) => !old.includes(f));
  if (added.length === 0) return;
  const path = FieldPath.of('metadata', 'finalizers');
  const why = `no new finalizers can be added if the object is being deleted, found new finalizers []string{${added.map((f) => JSON.stringify(f)).join(', ')}}`;
  throw invalid(call.info, call.target.name, [fieldErrors.forbidden(path, why)]);
}

/**
 * UPDATE, PATCH and every subresource that changes its object. `make` turns the present state into the wanted one; it
 * runs again on a newer state when someone else was faster, unless what it makes names the revision it is based on.
 */
export async function update(
  call: Call,
  make: (before: KubeObject) => KubeObject | Promise<KubeObject>,
  mode: UpdateMode,
  deps: WriteDeps,
): Promise<KubeObject> {
  const { info, target } = call;
  for (let attempt = 1; ; attempt++) {
    const before = deps.objects.get(info, target.namespace, target.name);
    const written = await updateOnce(call, before, await make(before), mode, deps);
    if (written) return written;
    if (attempt === updateAttempts) throw conflict(info, target.name);
  }
}

/** PUT of a whole object: some kinds are created by it when they are not there. */
export async function put(call: Call, given: KubeObject, mode: 'object' | 'status', deps: WriteDeps): Promise<Written> {
  const { info, target } = call;
  checkPlace(call, given);
  const present = deps.objects.find(info, target.namespace, target.name);
  if (!present && mode === 'object' && traitsOf(info).createOnUpdate && !given.metadata.uid) {
    const { resourceVersion: _ignored, ...metadata } = given.metadata;
    return create(call, { ...given, metadata: { ...metadata, name: target.name } }, deps);
  }
  if (present && traitsOf(info).conditionalUpdate && !given.metadata.resourceVersion) {
    const path = FieldPath.of('metadata', 'resourceVersion');
    refuse(info, target.name, [fieldErrors.invalid(path, 0, 'must be specified for an update')]);
  }
  return { object: await update(call, () => given, mode, deps), created: false };
}
