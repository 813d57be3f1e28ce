import {
  conflict,
  fieldErrors,
  FieldPath,
  invalid,
  type KubeObject,
  type meta,
  type ResourceInfo,
} from '@flotilla/api';
import { check } from '../admission/admit.js';
import type { Admission } from '../admission/step.js';
import type { Call } from '../call.js';
import { planDeletion } from '../lifecycle/delete.js';
import { traitsOf } from '../lifecycle/strategy.js';
import { selectionOf } from '../selection.js';
import { prefixOf } from '../storage.js';
import { convert } from '../versions.js';
import type { WriteDeps } from './write.js';

/** What DELETE did. */
export interface Deleted {
  object: KubeObject;
  /** False while finalizers, a grace period or its content keep the object. */
  gone: boolean;
}

const policies = ['Foreground', 'Background', 'Orphan'];

/** DeleteOptions of the body, or of the query where there is no body. Throws 422. */
export function deletionOptions(body: meta.DeleteOptions | undefined, query: URLSearchParams): meta.DeleteOptions {
  const options: meta.DeleteOptions = { ...body };
  const grace = query.get('gracePeriodSeconds');
  if (options.gracePeriodSeconds === undefined && grace && /^-?\d+$/.test(grace))
    options.gracePeriodSeconds = Number(grace);
  const policy = query.get('propagationPolicy');
  // Whatever was sent, so that a wrong word is named below.
  if (!options.propagationPolicy && policy) options.propagationPolicy = policy as meta.DeletionPropagation;
  const orphan = query.get('orphanDependents');
  if (options.orphanDependents === undefined && orphan) options.orphanDependents = orphan === 'true';
  const kind = { group: 'meta.k8s.io', kind: 'DeleteOptions' };
  if (options.propagationPolicy !== undefined && options.orphanDependents !== undefined) {
    const path = FieldPath.of('propagationPolicy');
    const why = 'orphanDependents and deletionPropagation cannot be both set';
    throw invalid(kind, '', [fieldErrors.invalid(path, options.propagationPolicy, why)]);
  }
  if (options.propagationPolicy && !policies.includes(options.propagationPolicy)) {
    const path = FieldPath.of('propagationPolicy');
    throw invalid(kind, '', [fieldErrors.notSupported(path, options.propagationPolicy, policies)]);
  }
  return options;
}

function checkPreconditions(
  info: ResourceInfo,
  object: KubeObject,
  preconditions: meta.Preconditions | undefined,
): void {
  const { name = '', uid, resourceVersion } = object.metadata;
  if (preconditions?.uid !== undefined && preconditions.uid !== uid) {
    throw conflict(
      info,
      name,
      `the UID in the precondition (${preconditions.uid}) does not match the UID in record (${uid}). The object might have been deleted and then recreated`,
    );
  }
  if (preconditions?.resourceVersion !== undefined && preconditions.resourceVersion !== resourceVersion) {
    throw conflict(
      info,
      name,
      `the ResourceVersion in the precondition (${preconditions.resourceVersion}) does not match the ResourceVersion in record (${resourceVersion}). The object might have been modified`,
    );
  }
}

/** DELETE of one object. Throws 404, 409. */
export async function remove(call: Call, name: string, options: meta.DeleteOptions, deps: WriteDeps): Promise<Deleted> {
  const { info, target } = call;
  const dryRun = call.dryRun || (options.dryRun ?? []).includes('All');
  for (;;) {
    const before = deps.objects.get(info, target.namespace, name);
    const admission: Admission = {
      operation: 'DELETE',
      user: call.user,
      info,
      subresource: target.subresource,
      namespace: target.namespace,
      name,
      object: undefined,
      before,
      warnings: call.warnings,
      afterwards: [],
    };
    check('admit', deps.steps, admission, deps.objects);
    check('validate', deps.steps, admission, deps.objects);
    checkPreconditions(info, before, options.preconditions);
    const plan = planDeletion(info, before, options, deps.clock.now());
    if (plan.action === 'wait') return { object: before, gone: false };
    const gone = plan.action === 'remove';
    if (dryRun) return { object: gone ? before : plan.object, gone };
    const object = await (gone ? deps.objects.remove(info, before) : deps.objects.replace(info, plan.object, before));
    if (object) return { object, gone };
  }
}

/** DELETE of all that the selectors match. Answers with the objects as they were deleted. */
export async function removeAll(call: Call, options: meta.DeleteOptions, deps: WriteDeps): Promise<KubeObject[]> {
  const { info, target, request } = call;
  const selection = selectionOf(info, request.query, '');
  const { entries } = deps.objects.store.list(prefixOf(info, target.namespace));
  const chosen = entries.filter((e) => selection.matches(e.value)).map((e) => convert(info, e.value));
  const outcomes = await Promise.all(
    chosen.map(async ({ metadata: { name = '', namespace = '' } }) => {
      const one: Call = { ...call, target: { ...target, namespace, name } };
      try {
        return [(await remove(one, name, options, deps)).object];
      } catch (error) {
        // Someone else's delete is as good as ours.
        if (deps.objects.find(info, namespace, name)) throw error;
        return [];
      }
    }),
  );
  return outcomes.flat();
}

/** The Status that answers the deletion of an object that is gone; some kinds answer with the object instead. */
export function deletionStatus(info: ResourceInfo, { object, gone }: Deleted): meta.Status | undefined {
  if (!gone || traitsOf(info).returnsDeleted) return undefined;
  const details: meta.StatusDetails = {
    name: object.metadata.name ?? '',
    ...(info.group ? { group: info.group } : {}),
    kind: info.resource,
    ...(object.metadata.uid ? { uid: object.metadata.uid } : {}),
  };
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details };
}
