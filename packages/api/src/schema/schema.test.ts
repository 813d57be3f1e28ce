import test from 'ava';
import { findKind, findResource, keyOf, resources, splitKey, virtualServices } from '../resources.js';
import { decodeJson } from './decode-json.js';
import { fieldSchema, messageSchema } from './graph.js';
import type { MessageSchema } from './types.js';
import { structuralErrors } from './structural.js';
import { schemaIds, schemaOf, UnknownSchemaError } from './tables.js';
import { fieldAt, patchRuleOf } from './traverse.js';

test('every reference in the tables resolves', (t) => {
  for (const id of schemaIds()) {
    for (const field of schemaOf(id).fields)
      t.is(field.message === undefined, field.type !== 'message', `${id}.${field.name}`);
  }
  t.throws(() => schemaOf('core.Nope'), { instanceOf: UnknownSchemaError });
});

test('every resource has its kind, list and names', (t) => {
  for (const info of resources) {
    t.is(info.schema.name, info.kind);
    t.is(info.listSchema.fields.find((field) => field.name === 'items')?.message, info.schema);
    t.is(findResource(info.group, info.version, info.resource), info);
    t.is(findKind(info.group, info.version, info.kind), info);
  }
  t.is(findResource('networking.istio.io', 'v1alpha3', 'virtualservices')?.schema, virtualServices.schema);
  t.is(findKind('events.k8s.io', 'v1', 'Event')?.storageKey, 'events');
});

test('keys', (t) => {
  t.is(keyOf({ metadata: { name: 'a', namespace: 'n' } }), 'n/a');
  t.deepEqual(splitKey('n/a'), { namespace: 'n', name: 'a' });
  t.deepEqual(splitKey(keyOf({ metadata: { name: 'a' } })), { name: 'a' });
});

test('paths step over lists and maps and into inlined messages', (t) => {
  const pod = schemaOf('core.Pod');
  t.is(fieldAt(pod, ['spec', 'containers', 0, 'ports', 1, 'containerPort'])?.type, 'int32');
  t.is(fieldAt(pod, ['spec', 'volumes', 0, 'emptyDir', 'medium'])?.stringType, 'v1.StorageMedium');
  t.is(fieldAt(pod, ['metadata', 'labels', 'app'])?.name, 'labels');
  t.is(fieldAt(pod, ['spec', 'nope']), undefined);
});

test('patch rules', (t) => {
  const spec = schemaOf('core.PodSpec');
  t.like(patchRuleOf(spec, 'containers'), { merge: true, mergeKey: 'name', retainKeys: false });
  t.like(patchRuleOf(spec, 'volumes'), { merge: true, retainKeys: true, mergeKey: 'name' });
  t.like(patchRuleOf(spec, 'tolerations'), { merge: false, mergeKey: undefined });
  t.like(patchRuleOf(schemaOf('meta.ObjectMeta'), 'finalizers'), { merge: true, mergeKey: undefined });
  t.like(patchRuleOf(undefined, 'x'), { merge: false, message: undefined });
});

test('custom resources keep what they were given, without unknown fields', (t) => {
  const { value, strictErrors } = decodeJson(virtualServices.schema, {
    metadata: { name: 'a' },
    spec: { hosts: [], http: [{ timeout: '', foo: 1, mirror_percent: 0 }] },
    status: { anything: { goes: 1 } },
  });
  t.deepEqual(strictErrors, ['unknown field "spec.http[0].foo"']);
  t.deepEqual(value, {
    metadata: { name: 'a' },
    spec: { hosts: [], http: [{ mirror_percent: 0, timeout: '' }] },
    status: { anything: { goes: 1 } },
  });
});

test('custom resources are checked against their schema', (t) => {
  const errors = structuralErrors(virtualServices.schema, {
    metadata: { name: 'a' },
    spec: {
      hosts: 'a',
      http: [
        {
          route: [{}],
          corsPolicy: { unmatchedPreflights: 'x' },
          match: [{ port: -1 }],
          fault: { abort: { httpStatus: 1.5 } },
        },
      ],
    },
  });
  t.deepEqual(errors.map(String), [
    'spec.hosts: Invalid value: "string": spec.hosts in body must be of type array: "string"',
    'spec.http[0].match[0].port: Invalid value: -1: spec.http[0].match[0].port in body should be greater than or equal to 0',
    'spec.http[0].route[0].destination: Required value',
    'spec.http[0].corsPolicy.unmatchedPreflights: Unsupported value: "x": supported values: "UNSPECIFIED", "FORWARD", "IGNORE"',
    'spec.http[0].fault.abort.httpStatus: Invalid value: "number": spec.http[0].fault.abort.httpStatus in body must be of type integer: "number"',
  ]);
});

test('a schema can be built at run time, with cycles', (t) => {
  const tree: MessageSchema = messageSchema({
    name: 'Tree',
    fields: () => [
      fieldSchema({ name: 'label', type: 'string', required: true, always: true }),
      fieldSchema({ name: 'children', type: 'message', cardinality: 'list', message: () => tree }),
    ],
  });
  const { value, strictErrors } = decodeJson(tree, { children: [{ label: 'x', children: [], leaf: true }] });
  t.deepEqual(value, { label: '', children: [{ label: 'x' }] });
  t.deepEqual(strictErrors, ['unknown field "children[0].leaf"']);
});
