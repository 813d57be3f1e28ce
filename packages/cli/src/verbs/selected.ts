import type { KubeObject, ResourceInfo } from '@flotilla/api';
import { UserError } from '../errors.js';
import { namespaceFor, resolveTargets } from './kinds.js';
import type { Session } from './session.js';

export interface SelectionOptions {
  selector?: string;
  all?: boolean;
}

/** One object that a verb was asked to act on. */
export interface Chosen {
  info: ResourceInfo;
  name: string;
  namespace: string | undefined;
}

/** The objects that a verb's arguments name, or that `-l` or `--all` selects of a kind. */
export async function chosen(session: Session, args: readonly string[], options: SelectionOptions): Promise<Chosen[]> {
  const found: Chosen[] = [];
  for (const { info, name } of resolveTargets(args)) {
    const namespace = namespaceFor(info, undefined, session.namespace);
    if (name !== undefined) found.push({ info, name, namespace });
    else if (options.selector || options.all) {
      const { items } = await session.client.resource(info).list({
        ...(namespace ? { namespace } : {}),
        ...(options.selector ? { labelSelector: options.selector } : {}),
      });
      found.push(...items.map((item) => ({ info, name: nameOf(item), namespace })));
    } else {
      throw new UserError('a name is needed, or -l SELECTOR, or --all', `for example: ${info.singular}/NAME`);
    }
  }
  return found;
}

const nameOf = (object: KubeObject): string => object.metadata.name ?? '';
