import test from 'ava';
import fc from 'fast-check';
import { resources } from '../resources.js';
import { arbitraryOf } from './testing/arbitrary.js';
import { decodeJson } from './decode-json.js';
import { decodeProtobuf } from './decode-protobuf.js';
import { encodeProtobuf } from './encode-protobuf.js';
import { decodeProtobufObject, decodeUnknown, encodeProtobufObject, encodeWatchFrame } from './envelope.js';
import { ProtobufError } from './protobuf-reader.js';
import { schemaOf } from './tables.js';

const kinds = resources.filter((info) => !info.custom);

for (const info of kinds) {
  test(`${info.group}/${info.kind}: canonical JSON decodes to itself, protobuf goes there and back`, (t) => {
    const canonical = arbitraryOf(info.schema).map((value) => decodeJson<object>(info.schema, value).value);
    fc.assert(
      fc.property(canonical, (value) => {
        const text = JSON.stringify(value);
        const again = decodeJson(info.schema, JSON.parse(text));
        t.is(JSON.stringify(again.value), text);
        t.deepEqual(again.strictErrors, []);
        t.deepEqual(decodeProtobuf<object>(info.schema, encodeProtobuf(info.schema, value)), value);
      }),
      { numRuns: 15 },
    );
  });
}

/** What kubectl 1.32 sent for `create deployment web --image=nginx --port=80 --replicas=2`. */
const createDeployment =
  'azhzAAoVCgdhcHBzL3YxEgpEZXBsb3ltZW50ErgBCh8KA3dlYhIAGgAiACoAMgA4AEIAWgoKA2FwcBIDd2ViEoYBCAISDAoKCgNhcHASA3dlYhps' +
  'ChwKABIAGgAiACoAMgA4AEIAWgoKA2FwcBIDd2ViEkwSLgoFbmdpbngSBW5naW54KgAyCgoAEAAYUCIAKgBCAGoAcgCAAQCIAQCQAQCiAQAaADIA' +
  'QgBKAFIAWABgAGgAggEAigEAmgEAwgEAIgIKACgAOAAaDAgAEAAYACAAKAA4ABoAIgA=';
/** `create ingress i --rule="foo.com/api/*=svc:http"`: the rule's HTTP part is inlined in JSON, nested in protobuf. */
const createIngress =
  'azhzAAofChRuZXR3b3JraW5nLms4cy5pby92MRIHSW5ncmVzcxJMChEKAWkSABoAIgAqADIAOABCABIzGjEKB2Zvby5jb20SJgokCiIKBS9hcGkv' +
  'EhEiDwoDc3ZjEggKBGh0dHAQABoGUHJlZml4GgIKABoAIgA=';

test('reads a deployment as kubectl sends it', (t) => {
  t.deepEqual(decodeProtobufObject<object>(schemaOf('apps.Deployment'), Buffer.from(createDeployment, 'base64')), {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', labels: { app: 'web' } },
    spec: {
      replicas: 2,
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: { containers: [{ name: 'nginx', image: 'nginx', ports: [{ containerPort: 80 }], resources: {} }] },
      },
      strategy: {},
    },
    status: {},
  });
});

test('reads inlined messages', (t) => {
  const ingress = decodeProtobufObject<{ spec: object }>(
    schemaOf('networking.Ingress'),
    Buffer.from(createIngress, 'base64'),
  );
  const backend = { service: { name: 'svc', port: { name: 'http' } } };
  t.deepEqual(ingress.spec, {
    rules: [{ host: 'foo.com', http: { paths: [{ path: '/api/', pathType: 'Prefix', backend }] } }],
  });
});

test('the envelope names the type', (t) => {
  const bytes = encodeProtobufObject(schemaOf('core.Namespace'), { metadata: { name: 'a' }, spec: {}, status: {} });
  const { raw, ...envelope } = decodeUnknown(bytes);
  t.deepEqual(envelope, { apiVersion: 'v1', kind: 'Namespace', contentEncoding: '', contentType: '' });
  t.deepEqual([...raw], [10, 3, 10, 1, 97]);
  t.throws(() => decodeUnknown(Buffer.from('{}')), { instanceOf: ProtobufError });
});

test('a watch frame is its length and a bare event with an enveloped object', (t) => {
  const object = encodeProtobufObject(schemaOf('core.Namespace'), { metadata: { name: 'a' } });
  const frame = Buffer.from(encodeWatchFrame('ADDED', object));
  t.is(frame.readUInt32BE(), frame.length - 4);
  const head = [0x0a, 5, ...Buffer.from('ADDED'), 0x12, object.length + 2, 0x0a, object.length];
  t.deepEqual([...frame.subarray(4)], [...head, ...object]);
});

test('unknown fields and groups are skipped, truncated bytes refused', (t) => {
  const schema = schemaOf('meta.ListMeta');
  // 15: a string, 14: a group with a varint inside, 2: resourceVersion.
  const bytes = Buffer.from([122, 1, 120, 115, 8, 1, 116, 18, 1, 55]);
  t.deepEqual(decodeProtobuf<object>(schema, bytes), { resourceVersion: '7' });
  t.throws(() => decodeProtobuf(schema, bytes.subarray(0, 9)), {
    instanceOf: ProtobufError,
    message: 'unexpected EOF',
  });
});

test('times keep 1970 apart from no time', (t) => {
  const schema = schemaOf('meta.ObjectMeta');
  const meta = { creationTimestamp: '1970-01-01T00:00:00Z' };
  t.deepEqual(decodeProtobuf<object>(schema, encodeProtobuf(schema, meta)), meta);
  t.deepEqual(decodeProtobuf<object>(schema, Buffer.from([66, 0])), {});
});
