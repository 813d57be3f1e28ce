import { type KubeObject, type ResourceInfo, resources } from '@flotilla/api';
import { UserError } from '../errors.js';

/** What a verb works on: one object, or all of a kind. */
export interface Target {
  info: ResourceInfo;
  name?: string;
}

const called = (info: ResourceInfo, word: string): boolean =>
  info.resource === word ||
  info.singular === word ||
  info.shortNames.includes(word) ||
  info.kind.toLowerCase() === word;

/** The first version of each resource only: what `kubectl` prefers. */
function preferred(): ResourceInfo[] {
  const seen = new Set<string>();
  // The core group comes first, so that `events` are those of v1.
  const ordered = [...resources].sort((a, b) => Number(a.group !== '') - Number(b.group !== ''));
  return ordered.filter((info) => {
    const key = `${info.group}/${info.resource}`;
    return !seen.has(key) && seen.add(key);
  });
}

/** One kind by plural, singular or short name, with its group (`deploy.apps`) or version and group (`deploy.v1.apps`) if need be. */
export function resolveKind(word: string): ResourceInfo {
  const lower = word.toLowerCase();
  const all = preferred();
  const plain = all.find((info) => called(info, lower));
  if (plain) return plain;
  const dot = lower.indexOf('.');
  const [head, rest] = dot < 0 ? [lower, ''] : [lower.slice(0, dot), lower.slice(dot + 1)];
  const ofGroup =
    all.find((info) => called(info, head) && info.group === rest) ??
    resources.find((info) => called(info, head) && `${info.version}.${info.group}` === rest);
  if (ofGroup && rest !== '') return ofGroup;
  throw new UserError(`the server doesn't have a resource type "${word}"`);
}

/** `pods`, `pods,svc`, `all`. */
export function resolveKinds(words: string): ResourceInfo[] {
  const found = words
    .split(',')
    .filter(Boolean)
    .flatMap((word) => {
      const category = preferred().filter((info) => info.categories.includes(word.toLowerCase()));
      return category.length > 0 ? category : [resolveKind(word)];
    });
  return [...new Set(found)];
}

/** The arguments of a verb: `KIND`, `KIND NAME…`, `KIND,KIND` or `KIND/NAME…`. */
export function resolveTargets(args: readonly string[]): Target[] {
  const [first, ...names] = args;
  if (!first) throw new UserError('you must say which kind', 'for example: flotilla get pods');
  if (args.some((arg) => arg.includes('/'))) {
    return args.map((arg) => {
      const [kind = '', name = '', ...more] = arg.split('/');
      if (!kind || !name || more.length > 0) {
        throw new UserError(`"${arg}" is not of the form KIND/NAME, as the other arguments are`);
      }
      return { info: resolveKind(kind), name };
    });
  }
  const kinds = resolveKinds(first);
  return names.length === 0
    ? kinds.map((info) => ({ info }))
    : kinds.flatMap((info) => names.map((name) => ({ info, name })));
}

/** As `resolveTargets`, for verbs that need a name. */
export function resolveNamed(args: readonly string[]): (Target & { name: string })[] {
  return resolveTargets(args).map(({ info, name }) => {
    if (name === undefined) throw new UserError('a name is needed', `for example: ${info.singular}/NAME`);
    return { info, name };
  });
}

/** `deployment.apps/web`, as kubectl names objects in its output. */
export const printedName = (info: ResourceInfo, name = ''): string => `${printedKind(info)}/${name}`;

/** `deployment.apps`, `pod`. */
export const printedKind = (info: ResourceInfo): string =>
  info.group ? `${info.singular}.${info.group}` : info.singular;

/** Where an object of this kind is; undefined for what has no namespace. */
export const namespaceFor = (
  info: ResourceInfo,
  object: KubeObject | undefined,
  fallback: string,
): string | undefined => (info.namespaced ? object?.metadata.namespace || fallback : undefined);
