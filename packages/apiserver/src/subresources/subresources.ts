import {
  type core,
  methodNotAllowed,
  type autoscaling,
  type KubeObject,
  pods,
  schemaOf,
  StatusError,
  unknownPath,
} from '@flotilla/api';
import type { Call } from '../call.js';
import { decodeBody, type Expected } from '../decode.js';
import { negotiate } from '../negotiate.js';
import { messageResponse, mediaOf, shapesOfRead, respondObject, valueResponse } from '../representation/respond.js';
import type { Response } from '../request.js';
import { remove } from '../verbs/delete.js';
import { applyPatch, readPatch } from '../verbs/patch.js';
import { put, update, type WriteDeps } from '../verbs/write.js';
import { bound } from './binding.js';
import { type Eviction, evictionExpected } from './eviction.js';
import { type NodeStreams, planLog, unscheduled } from './log.js';
import { scaled, scaleExpected, scaleOf } from './scale.js';

export interface SubresourceDeps extends WriteDeps {
  nodes: NodeStreams;
}

const success = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success' } as const;

export const expectedOf = ({ info }: Call): Expected => ({
  group: info.group,
  version: info.version,
  kind: info.kind,
  schema: info.schema,
  protobuf: !info.custom,
});

/** Everything below `…/<resource>/<name>/<subresource>`. Throws 404 for what does not exist, 405 for a wrong verb. */
export function subresource(call: Call, deps: SubresourceDeps): Promise<Response> {
  const { info, target } = call;
  switch (target.subresource) {
    case 'status':
      if (info.subresources.includes('status')) return status(call, deps);
      break;
    case 'scale':
      if (info.subresources.includes('scale')) return scale(call, deps);
      break;
    case 'finalize':
      if (info.subresources.includes('finalize')) return finalize(call, deps);
      break;
    case 'binding':
      if (info.resource === 'pods') return binding(call, deps);
      break;
    case 'eviction':
      if (info.resource === 'pods') return eviction(call, deps);
      break;
    case 'log':
      if (info.resource === 'pods') return log(call, deps);
      break;
  }
  if (info.resource === 'pods' && notYet.has(target.subresource)) throw unavailable(target.subresource);
  throw unknownPath();
}

/** Subresources of pods that upstream has and this server will have: better said than a plain 404. */
const notYet = new Set(['exec', 'attach', 'portforward', 'proxy', 'ephemeralcontainers', 'resize']);

const unavailable = (what: string): StatusError =>
  new StatusError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: `pods/${what} is not available in this version of Flotilla`,
    reason: 'NotImplemented',
    code: 501,
  });

function only(call: Call, ...verbs: string[]): void {
  if (!verbs.includes(call.target.verb)) throw methodNotAllowed(call.info, call.target.verb);
}

async function objectResponse(code: number, call: Call, object: KubeObject, deps: SubresourceDeps): Promise<Response> {
  const { info, request } = call;
  const wish = negotiate(request.accept, mediaOf(info), shapesOfRead);
  return respondObject(code, info, object, { wish, query: request.query, now: deps.clock.now() });
}

/** `/status`: GET, PUT and PATCH. */
async function status(call: Call, deps: SubresourceDeps): Promise<Response> {
  only(call, 'get', 'update', 'patch');
  const { info, target } = call;
  if (target.verb === 'get')
    return objectResponse(200, call, deps.objects.get(info, target.namespace, target.name), deps);
  const expected = expectedOf(call);
  if (target.verb === 'update') {
    const given = await decodeBody<KubeObject>(call.request, expected, call.fieldValidation, call.warnings);
    return objectResponse(200, call, (await put(call, given, 'status', deps)).object, deps);
  }
  const patch = await readPatch(call, expected);
  const object = await update(call, (before) => applyPatch(call, expected, patch, before), 'status', deps);
  return objectResponse(200, call, object, deps);
}

/** `/scale`: the same, as an autoscaling/v1 Scale. */
async function scale(call: Call, deps: SubresourceDeps): Promise<Response> {
  only(call, 'get', 'update', 'patch');
  const { info, target, request } = call;
  const expected = scaleExpected();
  let object: KubeObject;
  if (target.verb === 'get') object = deps.objects.get(info, target.namespace, target.name);
  else if (target.verb === 'update') {
    const given = await decodeBody<autoscaling.Scale>(request, expected, call.fieldValidation, call.warnings);
    object = await update(call, (before) => scaled(before, given), 'object', deps);
  } else {
    const patch = await readPatch(call, expected);
    object = await update(
      call,
      (before) => scaled(before, applyPatch(call, expected, patch, scaleOf(before))),
      'object',
      deps,
    );
  }
  const wish = negotiate(request.accept, ['json', 'yaml', 'protobuf']);
  return messageResponse(200, 'autoscaling.Scale', scaleOf(object), wish, request.query);
}

/** `/namespaces/<n>/finalize`: the namespace controller gives up its hold. */
async function finalize(call: Call, deps: SubresourceDeps): Promise<Response> {
  only(call, 'update');
  const given = await decodeBody<core.Namespace>(call.request, expectedOf(call), call.fieldValidation, call.warnings);
  const object = await update(
    call,
    (before) => ({ ...before, metadata: { ...before.metadata, ...revisionOf(given) }, spec: given.spec }),
    'as-is',
    deps,
  );
  return objectResponse(200, call, object, deps);
}

const revisionOf = ({ metadata }: KubeObject): { resourceVersion?: string } =>
  metadata.resourceVersion ? { resourceVersion: metadata.resourceVersion } : {};

/** `/pods/<n>/binding`: the scheduler's decision. */
async function binding(call: Call, deps: SubresourceDeps): Promise<Response> {
  only(call, 'create');
  const expected = { group: '', version: 'v1', kind: 'Binding', schema: schemaOf('core.Binding'), protobuf: true };
  const given = await decodeBody<core.Binding>(call.request, expected, call.fieldValidation, call.warnings);
  await update(call, (before) => bound(before as core.Pod, given, deps.clock.now()), 'as-is', deps);
  return valueResponse(201, success, negotiate(call.request.accept, ['json', 'yaml']), call.request.query);
}

/** `/pods/<n>/eviction`. */
async function eviction(call: Call, deps: SubresourceDeps): Promise<Response> {
  only(call, 'create');
  const given = await decodeBody<Eviction>(call.request, evictionExpected(), call.fieldValidation, call.warnings);
  await remove(call, call.target.name, given.deleteOptions ?? {}, deps);
  return valueResponse(201, success, negotiate(call.request.accept, ['json', 'yaml']), call.request.query);
}

/** `/pods/<n>/log`: plain text, from the agent of the pod's node. */
async function log(call: Call, deps: SubresourceDeps): Promise<Response> {
  only(call, 'get');
  const { target, request } = call;
  const pod = deps.objects.get(pods, target.namespace, target.name);
  const plan = planLog(pod, request.query);
  if (!plan) throw unscheduled(pod);
  const frames = await deps.nodes.open(plan.node, 'logs', plan.request, request.signal);
  return {
    status: 200,
    contentType: 'text/plain',
    body: async (sink) => {
      for await (const frame of frames) await sink.write(frame);
    },
  };
}
