import { isJsonObject } from '@flotilla/api';
import { UserError } from '../errors.js';
import { printedName } from './kinds.js';
import { chosen, type SelectionOptions } from './selected.js';
import { onCluster, type VerbOptions } from './session.js';

export interface ScaleOptions extends VerbOptions, SelectionOptions {
  replicas: number;
  currentReplicas?: number;
}

export async function scale(args: string[], options: ScaleOptions): Promise<void> {
  await onCluster(options, async (session) => {
    for (const { info, name, namespace } of await chosen(session, args, options)) {
      try {
        if (!info.subresources.includes('scale')) throw new UserError(`a ${info.singular} cannot be scaled`);
        const resource = session.client.resource(info);
        if (options.currentReplicas !== undefined) {
          const now: unknown = await resource.get(name, namespace);
          const replicas = isJsonObject(now) && isJsonObject(now.spec) ? now.spec.replicas : undefined;
          if (replicas !== options.currentReplicas) {
            throw new UserError(`expected replicas to be ${options.currentReplicas}, was ${JSON.stringify(replicas)}`);
          }
        }
        await resource.patch({ name, namespace }, { spec: { replicas: options.replicas } }, { subresource: 'scale' });
        session.print(`${printedName(info, name)} scaled`);
      } catch (error) {
        session.fail(error);
      }
    }
  });
}
