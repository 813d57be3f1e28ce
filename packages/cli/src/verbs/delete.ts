import type { DeleteOptions } from '@flotilla/client';
import { UserError } from '../errors.js';
import { timeoutOf } from './durations.js';
import { isNotFound } from './failures.js';
import { namespaceFor, printedKind, printedName } from './kinds.js';
import { readManifests } from './manifests.js';
import { type Chosen, chosen, type SelectionOptions } from './selected.js';
import { onCluster, type Session, type VerbOptions } from './session.js';
import { untilState } from './states.js';

export interface DeleteVerbOptions extends VerbOptions, SelectionOptions {
  filename?: string[];
  recursive?: boolean;
  wait: string;
  timeout?: string;
  /** Seconds. */
  gracePeriod?: number;
  force?: boolean;
  now?: boolean;
  cascade: string;
  ignoreNotFound?: boolean;
}

const propagation: Record<string, DeleteOptions['propagationPolicy']> = {
  background: 'Background',
  foreground: 'Foreground',
  orphan: 'Orphan',
};

export async function deleteObjects(args: string[], options: DeleteVerbOptions): Promise<void> {
  if ((args.length === 0) === !options.filename) throw new UserError('say what to delete: KIND NAME…, or -f FILE');
  const propagationPolicy = propagation[options.cascade];
  if (!propagationPolicy) throw new UserError(`--cascade is one of: ${Object.keys(propagation).join(', ')}`);
  const limit = timeoutOf(options.timeout);
  const { manifests, failures } = options.filename
    ? await readManifests(options.filename, options.recursive)
    : { manifests: [], failures: [] };
  await onCluster(options, async (session) => {
    for (const failure of failures) session.fail(failure);
    const fromFiles = manifests.map(({ info, name, object }) => {
      return { info, name, namespace: namespaceFor(info, object, session.namespace) };
    });
    const victims = args.length > 0 ? await chosen(session, args, options) : fromFiles;
    if (victims.length === 0) session.print('No resources found');
    const gone: { victim: Chosen; uid: string | undefined }[] = [];
    const grace = options.now ? 1 : (options.gracePeriod ?? (options.force ? 0 : undefined));
    const deletion = { propagationPolicy, ...(grace === undefined ? {} : { gracePeriodSeconds: grace }) };
    for (const victim of victims) {
      try {
        gone.push({ victim, uid: await deleteOne(session, victim, deletion) });
        session.print(`${printedKind(victim.info)} "${victim.name}" ${options.force ? 'force deleted' : 'deleted'}`);
      } catch (error) {
        // Of a file, whatever else it lists is deleted all the same.
        if (!(isNotFound(error) && options.ignoreNotFound)) session.fail(error);
      }
    }
    if (options.wait === 'false' || options.force) return;
    for (const { victim, uid } of gone) await untilGone(session, victim, uid, limit);
  });
}

/** Returns the uid of what is going, so that a successor of the same name is not waited for. */
async function deleteOne(session: Session, { info, name, namespace }: Chosen, options: DeleteOptions) {
  const resource = session.client.resource(info);
  const { metadata } = await resource.get(name, namespace);
  await resource.delete({ name, namespace }, options);
  return metadata.uid;
}

async function untilGone(session: Session, victim: Chosen, uid: string | undefined, limit?: number): Promise<void> {
  const { info, name, namespace } = victim;
  const absent = await untilState(
    session,
    info,
    { name, namespace },
    (object) => (object?.metadata.uid === uid ? undefined : true),
    limit,
  );
  if (!absent) throw new UserError(`timed out waiting for the deletion of ${printedName(info, name)}`);
}
