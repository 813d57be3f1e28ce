import { labelValueErrors, qualifiedNameErrors } from '@flotilla/api';
import { UserError } from '../errors.js';
import { printedName } from './kinds.js';
import { chosen, type SelectionOptions } from './selected.js';
import { onCluster, type VerbOptions } from './session.js';

export interface LabelOptions extends VerbOptions, SelectionOptions {
  overwrite?: boolean;
}

/** `k=v` sets, `k-` removes (null). */
export function labelChanges(words: readonly string[]): Map<string, string | null> {
  const changes = new Map<string, string | null>();
  for (const word of words) {
    const equals = word.indexOf('=');
    const key = equals < 0 ? word.slice(0, -1) : word.slice(0, equals);
    const value = equals < 0 ? null : word.slice(equals + 1);
    const wrong = [...qualifiedNameErrors(key), ...(value === null ? [] : labelValueErrors(value))];
    if (wrong.length > 0) throw new UserError(`invalid label "${word}": ${wrong.join('; ')}`);
    if (changes.has(key)) throw new UserError(`can not both modify and remove a label, or set it twice: ${key}`);
    changes.set(key, value);
  }
  return changes;
}

const isChange = (word: string): boolean => word.includes('=') || word.endsWith('-');

export async function label(args: string[], options: LabelOptions): Promise<void> {
  const first = args.findIndex(isChange);
  const changes = labelChanges(first < 0 ? [] : args.slice(first));
  if (changes.size === 0) throw new UserError('at least one label is needed', 'for example: pod/web tier=front old-');
  await onCluster(options, async (session) => {
    for (const { info, name, namespace } of await chosen(session, args.slice(0, first), options)) {
      try {
        const resource = session.client.resource(info);
        const { labels = {} } = (await resource.get(name, namespace)).metadata;
        const done = outcome(labels, changes, options.overwrite ?? false, session.note);
        if (changesAnything(labels, changes)) {
          await resource.patch({ name, namespace }, { metadata: { labels: Object.fromEntries(changes) } });
        }
        session.print(`${printedName(info, name)} ${done}`);
      } catch (error) {
        session.fail(error);
      }
    }
  });
}

const changesAnything = (labels: Record<string, string>, changes: Map<string, string | null>): boolean =>
  [...changes].some(([key, value]) => (labels[key] ?? null) !== value);

function outcome(
  labels: Record<string, string>,
  changes: Map<string, string | null>,
  overwrite: boolean,
  note: (line: string) => void,
): string {
  for (const [key, value] of changes) {
    const now = labels[key];
    if (value === null && now === undefined) note(`label "${key}" not found.`);
    if (value !== null && now !== undefined && now !== value && !overwrite) {
      throw new UserError(`'${key}' already has a value (${now}), and --overwrite is false`);
    }
  }
  if (!changesAnything(labels, changes)) return 'not labeled';
  return [...changes.values()].every((value) => value === null) ? 'unlabeled' : 'labeled';
}
