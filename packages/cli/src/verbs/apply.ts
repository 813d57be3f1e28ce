import type { JsonObject, KubeObject, ResourceInfo } from '@flotilla/api';
import type { ObjectRef } from '@flotilla/client';
import { UserError } from '../errors.js';
import { isNotFound } from './failures.js';
import { namespaceFor, printedName } from './kinds.js';
import { lastApplied, lastAppliedAnnotation, withLastApplied } from './last-applied.js';
import { type Manifest, readManifests } from './manifests.js';
import { onCluster, type Session, type VerbOptions } from './session.js';
import { threeWayPatch } from './three-way.js';

export interface ApplyOptions extends VerbOptions {
  filename: string[];
  recursive?: boolean;
}

export async function apply(options: ApplyOptions): Promise<void> {
  const { manifests, failures } = await readManifests(options.filename, options.recursive);
  await onCluster(options, async (session) => {
    for (const manifest of manifests) await applyOne(session, manifest);
    for (const failure of failures) session.fail(failure);
  });
}

/** The manifest in its namespace. */
function placed({ info, object }: Manifest, namespace: string | undefined): JsonObject {
  if (!info.namespaced || !namespace) return object;
  return { ...object, metadata: { ...(object.metadata as JsonObject), namespace } };
}

async function applyOne(session: Session, manifest: Manifest): Promise<void> {
  const { info, name, source } = manifest;
  let doing = `error when retrieving current configuration from "${source}"`;
  try {
    const namespace = namespaceFor(info, manifest.object, session.namespace);
    if (session.namespaceGiven && namespace && namespace !== session.namespace) {
      throw new UserError(
        `the namespace from the provided object "${namespace}" does not match the namespace "${session.namespace}"`,
      );
    }
    const modified = withLastApplied(placed(manifest, namespace));
    const current = await currentOf(session, info, { name, namespace });
    doing = `error when ${current ? 'patching' : 'creating'} "${source}"`;
    const done = current ? await change(session, info, modified, current) : await create(session, info, modified);
    session.print(`${printedName(info, name)} ${done}`);
  } catch (error) {
    session.fail(error, doing);
  }
}

async function currentOf(session: Session, info: ResourceInfo, ref: ObjectRef): Promise<KubeObject | undefined> {
  try {
    return await session.client.resource(info).get(ref.name, ref.namespace);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

async function create(session: Session, info: ResourceInfo, modified: JsonObject): Promise<'created'> {
  await session.client.resource(info).create(modified as JsonObject & KubeObject);
  return 'created';
}

async function change(
  session: Session,
  info: ResourceInfo,
  modified: JsonObject,
  current: KubeObject,
): Promise<'configured' | 'unchanged'> {
  const { name = '', namespace } = current.metadata;
  const there = current as KubeObject & JsonObject;
  const original = lastApplied(there);
  if (!original) {
    session.note(
      `Warning: resource ${info.resource}/${name} is missing the ${lastAppliedAnnotation} annotation which is required by apply; it is added now`,
    );
  }
  const patch = threeWayPatch(original ?? {}, modified, there, info.custom ? undefined : info.schema);
  if (Object.keys(patch).length === 0) return 'unchanged';
  const type = info.custom ? 'merge' : 'strategic';
  await session.client.resource(info).patch({ name, namespace }, patch, { type });
  return 'configured';
}
