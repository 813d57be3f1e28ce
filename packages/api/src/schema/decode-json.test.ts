import test from 'ava';
import { decodeJson, JsonDecodeError } from './decode-json.js';
import { duplicateFields } from './duplicates.js';
import type { JsonValue } from './json.js';
import { schemaOf } from './tables.js';

const decode = (kind: string, text: string): unknown => decodeJson(schemaOf(kind), JSON.parse(text) as JsonValue).value;

// Every message below is what apimachinery 0.36 says to the same input.
const refused: readonly (readonly [string, string, string])[] = [
  [
    'core.Service',
    '{"spec":{"ports":[{"port":"80"}]}}',
    'json: cannot unmarshal string into Go struct field ServicePort.spec.ports.port of type int32',
  ],
  [
    'core.Service',
    '{"spec":{"ports":[{"port":80.5}]}}',
    'json: cannot unmarshal number 80.5 into Go struct field ServicePort.spec.ports.port of type int32',
  ],
  [
    'core.Service',
    '{"spec":{"ports":[{"port":3000000000}]}}',
    'json: cannot unmarshal number 3000000000 into Go struct field ServicePort.spec.ports.port of type int32',
  ],
  [
    'core.Service',
    '{"spec":{"ports":{"port":80}}}',
    'json: cannot unmarshal object into Go struct field ServiceSpec.spec.ports of type []v1.ServicePort',
  ],
  [
    'core.Service',
    '{"spec":{"ports":[{"port":80,"protocol":5}]}}',
    'json: cannot unmarshal number into Go struct field ServicePort.spec.ports.protocol of type v1.Protocol',
  ],
  [
    'core.Service',
    '{"spec":{"ports":[{"port":80,"targetPort":true}]}}',
    'json: cannot unmarshal bool into Go struct field ServicePort.spec.ports.targetPort of type int32',
  ],
  [
    'core.Service',
    '{"spec":{"selector":["a"]}}',
    'json: cannot unmarshal array into Go struct field ServiceSpec.spec.selector of type map[string]string',
  ],
  [
    'core.Service',
    '{"spec":"x"}',
    'json: cannot unmarshal string into Go struct field Service.spec of type v1.ServiceSpec',
  ],
  [
    'core.Service',
    '{"metadata":{"creationTimestamp":5}}',
    'json: cannot unmarshal number into Go struct field ObjectMeta.metadata.creationTimestamp of type string',
  ],
  [
    'core.Service',
    '{"metadata":{"creationTimestamp":"abc"}}',
    'parsing time "abc" as "2006-01-02T15:04:05Z07:00": cannot parse "abc" as "2006"',
  ],
  ['core.Event', '{"firstTimestamp":"2024-02-30T00:00:00Z"}', 'parsing time "2024-02-30T00:00:00Z": day out of range'],
  [
    'core.Pod',
    '{"spec":{"containers":[{"name":"a","resources":{"limits":{"cpu":"abc"}}}]}}',
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
  ],
  [
    'core.Pod',
    '{"spec":{"containers":[{"name":"a","env":[{"name":"A","value":1}]}]}}',
    'json: cannot unmarshal number into Go struct field EnvVar.spec.containers.env.value of type string',
  ],
  ['core.Secret', '{"data":{"a":"!!!"}}', 'illegal base64 data at input byte 0'],
  ['core.Secret', '{"data":{"a":"YQ"}}', 'illegal base64 data at input byte 0'],
];

for (const [kind, text, message] of refused) {
  test(`refuses ${text} as a ${kind}`, (t) => {
    t.throws(() => decode(kind, text), { instanceOf: JsonDecodeError, message });
  });
}

test('unknown fields are named by path, wrong case is unknown, and they are dropped', (t) => {
  const text =
    '{"metadata":{"name":"a"},"Spec":{},"spec":{"foo":1,"containers":[{"name":"a","imagee":"x","ports":[{"containerPort":80,"x":{"y":1}}]}]}}';
  const { value, strictErrors } = decodeJson(schemaOf('core.Pod'), JSON.parse(text) as JsonValue);
  t.deepEqual(strictErrors, [
    'unknown field "Spec"',
    'unknown field "spec.foo"',
    'unknown field "spec.containers[0].imagee"',
    'unknown field "spec.containers[0].ports[0].x"',
  ]);
  t.deepEqual(value, {
    metadata: { name: 'a' },
    spec: { containers: [{ name: 'a', ports: [{ containerPort: 80 }], resources: {} }] },
    status: {},
  });
});

test('duplicate fields are found where the schema reaches', (t) => {
  const text =
    '{"metadata":{"name":"a","name":"b","labels":{"a":"1","\\u0061":"2"}},"spec":{"foo":{"x":1,"x":2},"containers":[{"name":"a","name":"b"}], "containers" : [] }}';
  t.deepEqual(duplicateFields(text, schemaOf('core.Pod')), [
    'duplicate field "metadata.name"',
    'duplicate field "metadata.labels.a"',
    'duplicate field "spec.containers[0].name"',
    'duplicate field "spec.containers"',
  ]);
  t.is(duplicateFields(text).length, 5);
});

test('what Go leaves out goes, what it always prints comes', (t) => {
  t.deepEqual(decode('apps.Deployment', '{"spec":{"replicas":0,"paused":false,"minReadySeconds":0,"selector":{}}}'), {
    metadata: {},
    spec: { replicas: 0, selector: {}, template: { metadata: {}, spec: { containers: [] } }, strategy: {} },
    status: {},
  });
  t.deepEqual(decode('core.ConfigMap', '{"metadata":null,"data":{"a":null},"immutable":null,"binaryData":{}}'), {
    metadata: {},
    data: { a: '' },
  });
});

test('amounts and times come out as Go prints them', (t) => {
  t.deepEqual(decode('core.ResourceRequirements', '{"limits":{"cpu":1.5,"memory":1024,"x":"1024Mi","y":"0.5"}}'), {
    limits: { cpu: '1500m', memory: '1024', x: '1Gi', y: '500m' },
  });
  t.deepEqual(decode('coordination.LeaseSpec', '{"renewTime":"2024-01-01T05:00:00.5+05:00"}'), {
    renewTime: '2024-01-01T00:00:00.500000Z',
  });
  t.deepEqual(decode('meta.ObjectMeta', '{"creationTimestamp":"2024-01-01T00:00:00.9+02:00"}'), {
    creationTimestamp: '2023-12-31T22:00:00Z',
  });
});

test('keys come in the order of declaration', (t) => {
  const value = decode(
    'core.Pod',
    '{"status":{},"spec":{"nodeName":"n","containers":[]},"kind":"Pod","apiVersion":"v1"}',
  );
  t.is(
    JSON.stringify(value),
    '{"kind":"Pod","apiVersion":"v1","metadata":{},"spec":{"containers":[],"nodeName":"n"},"status":{}}',
  );
});

test('a key called __proto__ is a key', (t) => {
  const value = decode('core.ConfigMap', '{"data":{"__proto__":"x"}}') as { data: object };
  t.is(JSON.stringify(value.data), '{"__proto__":"x"}');
});
