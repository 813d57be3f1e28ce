import { isJsonObject, type JsonObject, type KubeObject, StatusError } from '@flotilla/api';
import { UserError } from '../errors.js';
import { failureText, isNotFound } from './failures.js';
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
  const manifests = await readManifests(options.filename, options.recursive);
  await onCluster(options, async (session) => {
    for (const manifest of manifests) {
      try {
        session.print(`${printedName(manifest.info, manifest.name)} ${await applyOne(session, manifest)}`);
      } catch (error) {
        session.fail(error);
      }
    }
  });
}

/** The manifest in its namespace. */
function placed({ info, object }: Manifest, namespace: string | undefined): JsonObject {
  if (!info.namespaced || !namespace) return object;
  return { ...object, metadata: { ...(object.metadata as JsonObject), namespace } };
}

async function applyOne(session: Session, manifest: Manifest): Promise<'created' | 'configured' | 'unchanged'> {
  const { info, name, source } = manifest;
  const resource = session.client.resource(info);
  const namespace = namespaceFor(info, manifest.object, session.namespace);
  if (session.namespaceGiven && namespace && namespace !== session.namespace) {
    throw new UserError(
      `the namespace from the provided object "${namespace}" does not match the namespace "${session.namespace}"`,
    );
  }
  const modified = withLastApplied(placed(manifest, namespace));
  let current: KubeObject;
  try {
    current = await resource.get(name, namespace);
  } catch (error) {
    if (!isNotFound(error)) throw error;
    await resource.create(modified as JsonObject & KubeObject).catch((failure: unknown) => {
      throw told(failure, `error when creating "${source}"`);
    });
    return 'created';
  }
  const there: unknown = current;
  if (!isJsonObject(there)) return 'unchanged';
  const original = lastApplied(there);
  if (!original) {
    session.note(
      `Warning: resource ${info.resource}/${name} is missing the ${lastAppliedAnnotation} annotation which is required by apply; it is added now`,
    );
  }
  const patch = threeWayPatch(original ?? {}, modified, there, info.custom ? undefined : info.schema);
  if (Object.keys(patch).length === 0) return 'unchanged';
  await resource
    .patch({ name, namespace }, patch, { type: info.custom ? 'merge' : 'strategic' })
    .catch((failure: unknown) => {
      throw told(failure, `error when applying patch to ${printedName(info, name)} from "${source}"`);
    });
  return 'configured';
}

/** The same refusal, saying during what; one that speaks of the object itself says enough. */
function told(error: unknown, doing: string): unknown {
  if (!(error instanceof StatusError) || error.reason === 'Invalid') return error;
  return failureText(error) ? new StatusError({ ...error.status, message: `${doing}: ${error.message}` }) : error;
}
