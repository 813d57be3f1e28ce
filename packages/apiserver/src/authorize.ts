import { pathRulesOf, rulesOf } from './policy.js';
import type { User } from './request.js';
import type { PathTarget, ResourceTarget } from './route.js';

/** What someone asks to do: a request's target, or the same as a hypothesis with verbs that no request has. */
export type Question = (Omit<ResourceTarget, 'verb'> & { verb: string }) | PathTarget;

export type Decision = { allowed: true } | { allowed: false; reason: string };

const matches = (list: readonly string[], value: string): boolean => list.includes('*') || list.includes(value);

const matchesPath = (pattern: string, path: string): boolean =>
  pattern.endsWith('*') ? path.startsWith(pattern.slice(0, -1)) : pattern === path;

const resourceOf = ({ resource, subresource }: { resource: string; subresource: string }): string =>
  subresource ? `${resource}/${subresource}` : resource;

function isAllowed(user: User, asked: Question): boolean {
  if (asked.kind === 'path') {
    const { verb, path } = asked;
    return pathRulesOf(user).some((r) => matches(r.verbs, verb) && r.paths.some((p) => matchesPath(p, path)));
  }
  const resource = resourceOf(asked);
  return rulesOf(user).some(
    (r) => matches(r.verbs, asked.verb) && matches(r.groups, asked.group) && matches(r.resources, resource),
  );
}

/** Whether `user` may do what is asked. Roles and bindings of the RBAC group are not consulted yet. */
export function authorize(user: User, asked: Question): Decision {
  if (isAllowed(user, asked)) return { allowed: true };
  if (asked.kind === 'path') {
    return { allowed: false, reason: `User "${user.name}" cannot ${asked.verb} path "${asked.path}"` };
  }
  const where = asked.namespace ? `in the namespace "${asked.namespace}"` : 'at the cluster scope';
  const what = `resource "${resourceOf(asked)}" in API group "${asked.group}"`;
  return { allowed: false, reason: `User "${user.name}" cannot ${asked.verb} ${what} ${where}` };
}
