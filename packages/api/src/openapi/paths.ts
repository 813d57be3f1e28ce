import type { ResourceInfo } from '../resources.js';
import type { JsonObject } from '../schema/json.js';
import { schemaOf } from '../schema/tables.js';
import type { MessageSchema } from '../schema/types.js';
import type { Components } from './schemas.js';

/** A kind that is asked with POST and answered at once, never stored. */
export type CreatedKind = Pick<ResourceInfo, 'group' | 'version' | 'resource' | 'kind' | 'namespaced' | 'schema'>;

type DescribedKind = CreatedKind & Partial<Pick<ResourceInfo, 'custom'>>;

const rootOf = ({ group, version }: DescribedKind): string =>
  group === '' ? `/api/${version}` : `/apis/${group}/${version}`;

const baseOf = (info: DescribedKind): string =>
  `${rootOf(info)}${info.namespaced ? '/namespaces/{namespace}' : ''}/${info.resource}`;

/** The one operation of a kind that can only be created, by path. */
export function createdPathsOf(info: CreatedKind, components: Components): JsonObject {
  return { [baseOf(info)]: new Operations(info, components).creation() };
}

/** The operations of one resource and its subresources, by path. */
export function pathsOf(info: ResourceInfo, components: Components): JsonObject {
  const operations = new Operations(info, components);
  const base = baseOf(info);
  const paths: JsonObject = {
    [base]: operations.collection(info.listSchema),
    [`${base}/{name}`]: operations.single(),
  };
  if (info.namespaced) paths[`${rootOf(info)}/${info.resource}`] = operations.allNamespaces(info.listSchema);
  for (const name of ['status', 'scale']) {
    if (info.subresources.includes(name)) paths[`${base}/{name}/${name}`] = operations.subresource(name);
  }
  return paths;
}

const query = (name: string, type: string, description: string): JsonObject => ({
  name,
  in: 'query',
  description,
  schema: { type, uniqueItems: true },
});
const inPath = (name: string, description: string): JsonObject => ({
  name,
  in: 'path',
  required: true,
  description,
  schema: { type: 'string', uniqueItems: true },
});

const pretty = query('pretty', 'string', 'Indent the output.');
/** kubectl looks for `dryRun` and `fieldValidation` here before it sends them. */
const writeParameters = [
  query('dryRun', 'string', 'With "All", do everything but persist.'),
  query('fieldManager', 'string', 'Who makes the change.'),
  query('fieldValidation', 'string', 'What to do about unknown and duplicate fields: Ignore, Warn or Strict.'),
];
const deleteParameters = [
  query('dryRun', 'string', 'With "All", do everything but persist.'),
  query('gracePeriodSeconds', 'integer', 'Seconds until the object is gone; 0 is at once.'),
  query('propagationPolicy', 'string', 'What becomes of dependents: Orphan, Background or Foreground.'),
];
const listParameters = [
  query('labelSelector', 'string', 'Only objects with these labels.'),
  query('fieldSelector', 'string', 'Only objects with these field values.'),
  query('limit', 'integer', 'How many objects at most.'),
  query('continue', 'string', 'The token with which the previous answer ended.'),
  query('resourceVersion', 'string', 'How fresh the answer has to be.'),
  query('resourceVersionMatch', 'string', 'How to read resourceVersion: NotOlderThan or Exact.'),
  query('timeoutSeconds', 'integer', 'How long the request may take.'),
  query('watch', 'boolean', 'Answer with the stream of changes.'),
  query('allowWatchBookmarks', 'boolean', 'Send bookmarks in that stream.'),
  query('sendInitialEvents', 'boolean', 'Begin that stream with the present objects.'),
];
const forceParameter = query('force', 'boolean', 'Take over fields that others manage.');

class Operations {
  readonly #info: DescribedKind;
  readonly #components: Components;

  constructor(info: DescribedKind, components: Components) {
    this.#info = info;
    this.#components = components;
  }

  creation(): JsonObject {
    return { post: this.#post(), parameters: this.#pathParameters(false) };
  }

  collection(listSchema: MessageSchema): JsonObject {
    return {
      get: this.#operation('list', { answer: listSchema, parameters: listParameters }),
      post: this.#post(),
      delete: this.#operation('deletecollection', {
        answer: schemaOf('meta.Status'),
        body: schemaOf('meta.DeleteOptions'),
        parameters: [...deleteParameters, ...listParameters.slice(0, 6)],
      }),
      parameters: this.#pathParameters(false),
    };
  }

  allNamespaces(listSchema: MessageSchema): JsonObject {
    const options = { answer: listSchema, parameters: listParameters };
    return { get: this.#operation('list', options, 'AllNamespaces'), parameters: [pretty] };
  }

  single(): JsonObject {
    const { schema } = this.#info;
    return {
      ...this.#readAndWrite(schema, ''),
      delete: this.#operation('delete', {
        answer: schemaOf('meta.Status'),
        body: schemaOf('meta.DeleteOptions'),
        parameters: deleteParameters,
      }),
      parameters: this.#pathParameters(true),
    };
  }

  subresource(name: string): JsonObject {
    const schema = name === 'scale' ? schemaOf('autoscaling.Scale') : this.#info.schema;
    const suffix = name.charAt(0).toUpperCase() + name.slice(1);
    return { ...this.#readAndWrite(schema, suffix), parameters: this.#pathParameters(true) };
  }

  #post(): JsonObject {
    const { schema } = this.#info;
    return this.#operation('post', { answer: schema, body: schema, parameters: writeParameters });
  }

  #readAndWrite(schema: MessageSchema, suffix: string): JsonObject {
    return {
      get: this.#operation('get', { answer: schema, parameters: [] }, suffix),
      put: this.#operation('put', { answer: schema, body: schema, parameters: writeParameters }, suffix),
      patch: this.#operation('patch', { answer: schema, parameters: [...writeParameters, forceParameter] }, suffix),
    };
  }

  #pathParameters(named: boolean): JsonObject[] {
    const parameters = [pretty];
    if (this.#info.namespaced) parameters.unshift(inPath('namespace', 'The namespace of the object.'));
    if (named) parameters.unshift(inPath('name', `The name of the ${this.#info.kind}.`));
    return parameters;
  }

  #operation(
    action: keyof typeof verbs,
    { answer, body, parameters }: { answer: MessageSchema; body?: MessageSchema; parameters: JsonObject[] },
    suffix = '',
  ): JsonObject {
    const { group, version, kind, namespaced } = this.#info;
    const scope = namespaced && suffix !== 'AllNamespaces' ? 'Namespaced' : '';
    const content = action === 'patch' ? this.#patchContent() : body && this.#content(body, ['*/*']);
    return {
      operationId: `${verbs[action].id}${groupId(group, version)}${scope}${kind}${suffix}`,
      tags: [groupId(group, version)],
      ...(parameters.length > 0 ? { parameters } : {}),
      ...(content ? { requestBody: { content, ...(action.startsWith('delete') ? {} : { required: true }) } } : {}),
      responses: this.#responses(action, answer),
      'x-kubernetes-action': action,
      'x-kubernetes-group-version-kind': this.#kindOf(answer, { group, version, kind }),
    };
  }

  /** Scale is of autoscaling/v1 whatever it scales. */
  #kindOf(answer: MessageSchema, own: JsonObject): JsonObject {
    return answer.name === 'Scale' ? { group: 'autoscaling', version: 'v1', kind: 'Scale' } : own;
  }

  #responses(action: keyof typeof verbs, answer: MessageSchema): JsonObject {
    const media = this.#info.custom
      ? ['application/json', 'application/yaml']
      : ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf'];
    const ok = { description: 'OK', content: this.#content(answer, media) };
    const answers: JsonObject = { '200': ok };
    for (const [code, description] of verbs[action].more) answers[code] = { ...ok, description };
    answers['401'] = { description: 'Unauthorized' };
    return answers;
  }

  #content(schema: MessageSchema, media: readonly string[]): JsonObject {
    const reference = this.#components.ref(schema);
    return Object.fromEntries(media.map((type) => [type, { schema: reference }]));
  }

  /** kubectl patches with the first of these that the kind has; custom resources have no strategic merge upstream. */
  #patchContent(): JsonObject {
    const strategic = this.#info.custom ? [] : ['application/strategic-merge-patch+json'];
    const media = ['application/json-patch+json', 'application/merge-patch+json', ...strategic];
    return Object.fromEntries(media.map((type) => [type, { schema: { type: 'object' } }]));
  }
}

/** The first part of the operation's name, and the answers beside 200. */
const verbs = {
  list: { id: 'list', more: [] },
  post: {
    id: 'create',
    more: [
      ['201', 'Created'],
      ['202', 'Accepted'],
    ],
  },
  deletecollection: { id: 'deleteCollection', more: [] },
  get: { id: 'read', more: [] },
  put: { id: 'replace', more: [['201', 'Created']] },
  patch: { id: 'patch', more: [['201', 'Created']] },
  delete: { id: 'delete', more: [['202', 'Accepted']] },
} as const satisfies Record<string, { id: string; more: readonly (readonly [string, string])[] }>;

/** `CoreV1`, `AppsV1`, `NetworkingIstioIoV1`: upstream drops `.k8s.io`. */
function groupId(group: string, version: string): string {
  const words = group === '' ? ['core'] : group.replace(/\.k8s\.io$/, '').split('.');
  return [...words, version].map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
}
