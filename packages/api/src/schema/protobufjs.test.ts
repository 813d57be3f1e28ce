import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { resources } from '../resources.js';
import { arbitraryOf } from './testing/arbitrary.js';
import { decodeJson } from './decode-json.js';
import { decodeProtobuf } from './decode-protobuf.js';
import { encodeProtobuf } from './encode-protobuf.js';

// protobufjs reads the same declarations and knows nothing of our options: a second opinion on the wire format.
const dir = fileURLToPath(new URL('../../../../proto/kubernetes/', import.meta.url));
const root = new protobuf.Root();
for (const name of readdirSync(dir)) protobuf.parse(readFileSync(dir + name, 'utf8'), root, { keepCase: true });

for (const info of resources.filter((resource) => !resource.custom)) {
  test(`${info.group}/${info.kind}: protobufjs reads what we write, we read what it writes`, (t) => {
    const module = info.group === '' ? 'core' : info.group.split('.')[0];
    const type = root.lookupType(`k8s.${module}.v1.${info.kind}`);
    const canonical = arbitraryOf(info.schema).map((value) => decodeJson<object>(info.schema, value).value);
    fc.assert(
      fc.property(canonical, (value) => {
        const theirs = type.encode(type.decode(encodeProtobuf(info.schema, value))).finish();
        t.deepEqual(decodeProtobuf<object>(info.schema, theirs), value);
      }),
      { numRuns: 15 },
    );
  });
}

test('names and values are the same to protobufjs', (t) => {
  const pods = resources.find((info) => info.resource === 'pods')!;
  const bytes = encodeProtobuf(pods.schema, {
    metadata: { name: 'a', labels: { x: 'y' }, generation: 5 },
    spec: { containers: [{ name: 'c', ports: [{ containerPort: 80 }] }], hostNetwork: true },
  });
  const type = root.lookupType('k8s.core.v1.Pod');
  t.like(type.toObject(type.decode(bytes), { longs: Number }), {
    metadata: { name: 'a', labels: { x: 'y' }, generation: 5 },
    spec: { containers: [{ name: 'c', ports: [{ containerPort: 80 }] }], hostNetwork: true },
  });
});
