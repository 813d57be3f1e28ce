import test from 'ava';
import fc from 'fast-check';
import { deployments, pods, services } from '../resources.js';
import type { JsonObject, JsonValue } from '../schema/json.js';
import { applyStrategicMergePatch } from './strategic.js';

const patchPod = (doc: JsonValue, patch: JsonValue): JsonValue => applyStrategicMergePatch(pods.schema, doc, patch);
const containers = (...names: string[]): JsonObject => ({ spec: { containers: names.map((name) => ({ name })) } });

test('lists with a merge key merge by it; what only the patch has comes first', (t) => {
  t.deepEqual(
    patchPod(
      { spec: { containers: [{ name: 'a', image: 'x' }, { name: 'b' }] } },
      { spec: { containers: [{ name: 'b', image: 'y' }, { name: 'c' }] } },
    ),
    { spec: { containers: [{ name: 'a', image: 'x' }, { name: 'b', image: 'y' }, { name: 'c' }] } },
  );
  t.deepEqual(patchPod(containers('a', 'b'), containers('c')), containers('c', 'a', 'b'));
});

test('$setElementOrder puts the merged list in order, unknown items stay by their neighbours', (t) => {
  const order = (...names: string[]): JsonValue => names.map((name) => ({ name }));
  t.deepEqual(
    patchPod(containers('a', 'b'), {
      spec: { containers: [{ name: 'c' }], '$setElementOrder/containers': order('a', 'b', 'c') },
    }),
    containers('a', 'b', 'c'),
  );
  t.deepEqual(
    patchPod(containers('a', 'server', 'b'), { spec: { '$setElementOrder/containers': order('b', 'a') } }),
    containers('server', 'b', 'a'),
  );
  t.deepEqual(
    patchPod({ spec: {} }, { spec: { containers: [{ name: 'c' }], '$setElementOrder/containers': order('c') } }),
    containers('c'),
  );
  t.like(
    t.throws(() =>
      patchPod(containers('a'), { spec: { containers: [{ name: 'c' }], '$setElementOrder/containers': order('a') } }),
    ),
    { httpStatus: 422 },
  );
});

test('$patch: delete takes an item out, $patch: replace replaces the list or the map', (t) => {
  t.deepEqual(
    patchPod(containers('a', 'b'), { spec: { containers: [{ $patch: 'delete', name: 'a' }] } }),
    containers('b'),
  );
  t.deepEqual(
    patchPod(containers('a', 'b'), { spec: { containers: [{ $patch: 'replace' }, { name: 'z' }] } }),
    containers('z'),
  );
  t.deepEqual(patchPod({ metadata: { labels: { a: '1' } } }, { metadata: { labels: { $patch: 'replace', b: '2' } } }), {
    metadata: { labels: { b: '2' } },
  });
  t.deepEqual(patchPod({ metadata: { labels: { a: '1' } } }, { metadata: { labels: { $patch: 'delete' } } }), {
    metadata: { labels: {} },
  });
  t.deepEqual(patchPod({ metadata: { labels: { a: '1' } } }, { metadata: { labels: { $patch: 'merge', b: '2' } } }), {
    metadata: { labels: { a: '1', b: '2' } },
  });
});

test('$deleteFromPrimitiveList and merging of primitives', (t) => {
  const doc = { metadata: { finalizers: ['a', 'b', 'c'] } };
  t.deepEqual(patchPod(doc, { metadata: { '$deleteFromPrimitiveList/finalizers': ['b'] } }), {
    metadata: { finalizers: ['a', 'c'] },
  });
  t.deepEqual(patchPod(doc, { metadata: { finalizers: ['c', 'd'] } }), {
    metadata: { finalizers: ['a', 'b', 'c', 'd'] },
  });
  t.deepEqual(
    patchPod(doc, {
      metadata: {
        '$deleteFromPrimitiveList/finalizers': ['b'],
        '$setElementOrder/finalizers': ['d', 'a', 'c'],
        finalizers: ['d'],
      },
    }),
    { metadata: { finalizers: ['d', 'a', 'c'] } },
  );
});

test('$retainKeys clears the other members of a union', (t) => {
  t.deepEqual(
    applyStrategicMergePatch(
      deployments.schema,
      { spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } } },
      { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } },
    ),
    { spec: { strategy: { type: 'Recreate' } } },
  );
  t.like(
    t.throws(
      () =>
        patchPod({ spec: {} }, { spec: { volumes: [{ name: 'v', $retainKeys: ['name'], emptyDir: {} }] } }) &&
        patchPod(
          { spec: { volumes: [{ name: 'v' }] } },
          { spec: { volumes: [{ name: 'v', $retainKeys: ['name'], emptyDir: {} }] } },
        ),
    ),
    { httpStatus: 400 },
  );
});

test('lists without a strategy are replaced whole', (t) => {
  t.deepEqual(
    patchPod(
      { spec: { tolerations: [{ key: 'a' }], containers: [{ name: 'c', args: ['1', '2'] }] } },
      { spec: { tolerations: [{ key: 'b' }], containers: [{ name: 'c', args: ['3'] }] } },
    ),
    { spec: { tolerations: [{ key: 'b' }], containers: [{ name: 'c', args: ['3'] }] } },
  );
});

test('null deletes, and is not kept where there is nothing to delete', (t) => {
  t.deepEqual(
    patchPod({ metadata: { labels: { a: '1' } } }, { metadata: { labels: null, annotations: { x: null } } }),
    {
      metadata: { annotations: {} },
    },
  );
});

test('a service’s ports merge by port', (t) => {
  t.deepEqual(
    applyStrategicMergePatch(
      services.schema,
      { spec: { ports: [{ port: 80, targetPort: 8080 }, { port: 443 }] } },
      { spec: { ports: [{ port: 80, targetPort: 9090 }] } },
    ),
    { spec: { ports: [{ port: 80, targetPort: 9090 }, { port: 443 }] } },
  );
});

test('an item without its merge key is refused', (t) => {
  t.like(
    t.throws(() => patchPod(containers('a'), { spec: { containers: [{ image: 'x' }] } })),
    { httpStatus: 422, message: 'the server rejected our request due to an error in our request' },
  );
});

const name = fc.constantFrom('a', 'b', 'c', 'd', 'e');
const list = fc.uniqueArray(fc.record({ name, image: fc.constantFrom('1', '2') }), { selector: (c) => c.name });

test('property: the set of merged items is the union, the patch wins, and a second time changes nothing', (t) => {
  fc.assert(
    fc.property(list, list, (before, change) => {
      const doc = { spec: { containers: before } };
      const patch = { spec: { containers: change } };
      const once = patchPod(doc, patch) as { spec: { containers: { name: string; image: string }[] } };
      const images = Object.fromEntries([...before, ...change].map((c) => [c.name, c.image]));
      const merged = once.spec.containers;
      t.deepEqual(Object.fromEntries(merged.map((c) => [c.name, c.image])), images);
      t.is(merged.length, Object.keys(images).length);
      t.deepEqual(patchPod(once, patch), patchPod(patchPod(once, patch), patch));
    }),
    { numRuns: 100 },
  );
});

test('property: with $setElementOrder of everything, the result is in that order', (t) => {
  fc.assert(
    fc.property(list, list, fc.infiniteStream(fc.nat()), (before, change, random) => {
      const names = [...new Set([...change, ...before].map((c) => c.name))];
      const rank = new Map(names.map((n) => [n, random.next().value as number]));
      const order = names.sort((x, y) => rank.get(x)! - rank.get(y)!).map((n) => ({ name: n }));
      const sorted = [...change].sort((x, y) => names.indexOf(x.name) - names.indexOf(y.name));
      const patch = { spec: { containers: sorted, '$setElementOrder/containers': order } };
      const result = patchPod({ spec: { containers: before } }, patch) as { spec: { containers: { name: string }[] } };
      t.deepEqual(
        result.spec.containers.map((c) => ({ name: c.name })),
        order,
      );
    }),
    { numRuns: 100 },
  );
});
