import test from 'ava';
import { resources } from '../resources.js';
import { isJsonObject, type JsonValue } from '../schema/json.js';
import { schemaOf } from '../schema/tables.js';
import { openApiV3 } from './document.js';

/** The value at a path into a document. */
function at(value: JsonValue | undefined, ...path: string[]): JsonValue | undefined {
  return path.reduce<JsonValue | undefined>((here, name) => (isJsonObject(here) ? here[name] : undefined), value);
}

test('every document refers only to schemas that it has', (t) => {
  for (const { group, version } of resources) {
    const document = openApiV3(group, version)!;
    const schemas = at(document, 'components', 'schemas') as Record<string, JsonValue>;
    const references = JSON.stringify(document).matchAll(/"#\/components\/schemas\/([^"]+)"/g);
    for (const [, name] of references) t.true(Object.hasOwn(schemas, name!), name);
  }
  t.is(openApiV3('apps', 'v2'), undefined);
});

// kubectl decides by these whether it may send dryRun and fieldValidation, and which patch (1.32, cli-runtime).
test('PATCH says what kubectl looks for', (t) => {
  const path = at(openApiV3('apps', 'v1'), 'paths', '/apis/apps/v1/namespaces/{namespace}/deployments/{name}', 'patch');
  t.deepEqual(at(path, 'x-kubernetes-group-version-kind'), { group: 'apps', version: 'v1', kind: 'Deployment' });
  const names = (at(path, 'parameters') as { name: string }[]).map((parameter) => parameter.name);
  t.true(names.includes('dryRun') && names.includes('fieldValidation'));
  t.truthy(at(path, 'requestBody', 'content', 'application/strategic-merge-patch+json'));
});

test('custom resources have no strategic merge patch', (t) => {
  const document = openApiV3('networking.istio.io', 'v1beta1');
  const path = '/apis/networking.istio.io/v1beta1/namespaces/{namespace}/gateways/{name}';
  t.deepEqual(Object.keys(at(document, 'paths', path, 'patch', 'requestBody', 'content') as object), [
    'application/json-patch+json',
    'application/merge-patch+json',
  ]);
});

test('schemas carry kinds, merge keys and list types', (t) => {
  const schemas = at(openApiV3('', 'v1'), 'components', 'schemas');
  const kinds = [{ group: '', version: 'v1', kind: 'Pod' }];
  t.deepEqual(at(schemas, 'io.k8s.api.core.v1.Pod', 'x-kubernetes-group-version-kind'), kinds);
  t.deepEqual(at(schemas, 'io.k8s.api.core.v1.ServiceSpec', 'properties', 'ports'), {
    description: 'The ports of the service, and those of the pods behind them.',
    type: 'array',
    items: { $ref: '#/components/schemas/io.k8s.api.core.v1.ServicePort' },
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['port', 'protocol'],
    'x-kubernetes-patch-strategy': 'merge',
    'x-kubernetes-patch-merge-key': 'port',
  });
  t.deepEqual(at(schemas, 'io.k8s.api.core.v1.ServicePort', 'required'), ['port']);
  t.truthy(at(schemas, 'io.k8s.api.core.v1.Volume', 'properties', 'emptyDir'));
});

test('a kind that is only created has a POST and its own schemas', (t) => {
  const kind = 'SelfSubjectReview';
  const group = 'authentication.k8s.io';
  const schema = schemaOf(`authentication.${kind}`);
  const review = { group, version: 'v1', resource: 'selfsubjectreviews', kind, namespaced: false, schema };
  t.is(openApiV3(group, 'v1'), undefined);
  const document = openApiV3(group, 'v1', [review]);
  const path = at(document, 'paths', '/apis/authentication.k8s.io/v1/selfsubjectreviews');
  t.deepEqual(Object.keys(path as object), ['post', 'parameters']);
  t.is(at(path, 'post', 'operationId'), 'createAuthenticationV1SelfSubjectReview');
  const schemas = at(document, 'components', 'schemas') as Record<string, JsonValue>;
  t.deepEqual(at(schemas[schema.schemaName], 'x-kubernetes-group-version-kind'), [{ group, version: 'v1', kind }]);
  const references = JSON.stringify(document).matchAll(/"#\/components\/schemas\/([^"]+)"/g);
  for (const [, name] of references) t.true(Object.hasOwn(schemas, name!), name);
});
