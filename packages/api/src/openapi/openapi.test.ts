import test from 'ava';
import { resources } from '../resources.js';
import { isJsonObject, type JsonValue } from '../schema/json.js';
import { openApiV3, openApiV3Index } from './document.js';

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

test('the index lists each group and version once', (t) => {
  const paths = at(openApiV3Index(), 'paths') as Record<string, { serverRelativeURL: string }>;
  t.regex(paths['api/v1']!.serverRelativeURL, /^\/openapi\/v3\/api\/v1\?hash=[0-9A-F]{64}$/);
  t.truthy(paths['apis/networking.istio.io/v1']);
});
