import {
  type authentication,
  type authorization,
  badRequest,
  fieldErrors,
  FieldPath,
  invalid,
  type meta,
  methodNotAllowed,
  schemaOf,
  unknownPath,
} from '@flotilla/api';
import { authorize, type Question } from './authorize.js';
import { writeOptions } from './call.js';
import { decodeBody } from './decode.js';
import { negotiate } from './negotiate.js';
import { pathRulesOf, rulesOf } from './policy.js';
import { messageResponse } from './representation/respond.js';
import type { Request, Response, User } from './request.js';
import type { ResourceTarget } from './route.js';

/** A kind that is asked and answered at once, and never stored: in discovery, but not among the stored resources. */
export interface ReviewKind {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly singular: string;
  readonly kind: string;
  readonly namespaced: false;
  readonly verbs: readonly string[];
  readonly schemaId: string;
}

interface Asked {
  metadata?: meta.ObjectMeta;
}

/** Method syntax, so that functions of a kind's own type fit. */
interface Review extends ReviewKind {
  /** The review with its answer. Throws 400, 422. */
  answer(user: User, asked: Asked): object;
}

const review = (group: string, kind: string, answer: Review['answer']): Review => ({
  group,
  version: 'v1',
  resource: `${kind.toLowerCase()}s`,
  singular: kind.toLowerCase(),
  kind,
  namespaced: false,
  verbs: ['create'],
  schemaId: `${group.split('.')[0]}.${kind}`,
  answer,
});

const list: readonly Review[] = [
  review('authentication.k8s.io', 'SelfSubjectReview', whoAmI),
  review('authorization.k8s.io', 'SelfSubjectAccessReview', canI),
  review('authorization.k8s.io', 'SelfSubjectRulesReview', whatCanI),
];

/** What discovery tells of them. */
export const reviewKinds: readonly ReviewKind[] = list;

function whoAmI(user: User, asked: Asked): authentication.SelfSubjectReview {
  const userInfo = { username: user.name, groups: [...user.groups] };
  return { metadata: asked.metadata ?? {}, status: { userInfo } };
}

/** The question of a spec. Throws 422 unless it is exactly one. */
function questionOf(spec: authorization.SelfSubjectAccessReviewSpec): Question {
  const { resourceAttributes: asked, nonResourceAttributes: path } = spec;
  const refuse = (field: string, why: string): Error =>
    invalid({ group: 'authorization.k8s.io', kind: 'SelfSubjectAccessReview' }, '', [
      fieldErrors.invalid(FieldPath.of('spec', field), undefined, why),
    ]);
  if (asked && path)
    throw refuse('nonResourceAttributes', 'cannot be specified in combination with resourceAttributes');
  if (path) return { kind: 'path', verb: path.verb ?? '', path: path.path ?? '' };
  if (!asked) {
    throw refuse('resourceAttributes', 'exactly one of nonResourceAttributes or resourceAttributes must be specified');
  }
  const { verb = '', group = '', version = '', resource = '', subresource = '', namespace = '', name = '' } = asked;
  return { kind: 'resource', verb, group, version, resource, subresource, namespace, name };
}

/** Without a reason when nothing allows it: upstream's RBAC has none to give either. */
function canI(user: User, asked: authorization.SelfSubjectAccessReview): authorization.SelfSubjectAccessReview {
  return { ...asked, status: { allowed: authorize(user, questionOf(asked.spec)).allowed } };
}

function whatCanI(user: User, asked: authorization.SelfSubjectRulesReview): authorization.SelfSubjectRulesReview {
  if (!asked.spec.namespace) throw badRequest('no namespace on request');
  const resourceRules = rulesOf(user).map(({ verbs, groups, resources }) => ({
    verbs: [...verbs],
    apiGroups: [...groups],
    resources: [...resources],
  }));
  const nonResourceRules = pathRulesOf(user).map(({ verbs, paths }) => ({
    verbs: [...verbs],
    nonResourceURLs: [...paths],
  }));
  return { ...asked, status: { resourceRules, nonResourceRules, incomplete: false } };
}

/** The answer to a review; undefined when the target is none. Throws 400, 404, 405, 415, 422. */
export async function reviewed(target: ResourceTarget, user: User, request: Request): Promise<Response | undefined> {
  const { group, version, resource } = target;
  const found = list.find((r) => r.resource === resource && r.group === group && r.version === version);
  if (!found) return undefined;
  if (target.name || target.namespace || target.subresource) throw unknownPath();
  if (target.verb !== 'create') throw methodNotAllowed(found, target.verb);
  const { fieldValidation } = writeOptions(target.verb, request.query);
  const expected = { ...found, schema: schemaOf(found.schemaId), protobuf: true };
  const warnings: string[] = [];
  const asked = await decodeBody<Asked>(request, expected, fieldValidation, warnings);
  const wish = negotiate(request.accept, ['json', 'yaml', 'protobuf']);
  const answer = { ...found.answer(user, asked), kind: found.kind, apiVersion: `${group}/${version}` };
  return { ...(await messageResponse(201, found.schemaId, answer, wish, request.query)), warnings };
}
