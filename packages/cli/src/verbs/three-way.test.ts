import { applyMergePatch, applyStrategicMergePatch, deployments, type JsonObject, services } from '@flotilla/api';
import test from 'ava';
import fc from 'fast-check';
import { lastApplied, lastAppliedAnnotation, withLastApplied } from './last-applied.js';
import { threeWayPatch } from './three-way.js';

const deployment = (container: JsonObject, more: JsonObject = {}): JsonObject => ({
  spec: { ...more, template: { spec: { containers: [{ name: 'main', ...container }] } } },
});

/** What the server has after an apply. */
function applied(original: JsonObject, modified: JsonObject, current: JsonObject): unknown {
  const patch = threeWayPatch(original, modified, current, deployments.schema);
  return applyStrategicMergePatch(deployments.schema, current, patch);
}

test('what was set by others stays; what was applied before and is no more goes', (t) => {
  const original = deployment({ image: 'a:1', env: [{ name: 'OLD', value: '1' }], command: ['x'] });
  const modified = deployment({ image: 'a:2', env: [{ name: 'NEW', value: '2' }] });
  const current = deployment(
    {
      image: 'a:1',
      env: [
        { name: 'OLD', value: '1' },
        { name: 'THEIRS', value: '3' },
      ],
      command: ['x'],
      tty: true,
    },
    { replicas: 5 },
  );
  const env = [
    { name: 'NEW', value: '2' },
    { name: 'THEIRS', value: '3' },
  ];
  t.deepEqual(applied(original, modified, current), deployment({ image: 'a:2', env, tty: true }, { replicas: 5 }));
});

test('containers are known by name: another one injected stays, a dropped one goes', (t) => {
  const list = (...names: string[]): JsonObject => ({
    spec: { template: { spec: { containers: names.map((name) => ({ name })) } } },
  });
  t.deepEqual(applied(list('a', 'b'), list('a'), list('a', 'b', 'proxy')), list('a', 'proxy'));
  t.deepEqual(applied(list('a', 'b'), list('b', 'a'), list('a', 'b')), list('b', 'a'));
});

test('a strategy of another type drops the members of the old one', (t) => {
  const current = { spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } } };
  const modified = { spec: { strategy: { type: 'Recreate' } } };
  t.deepEqual(applied({ spec: {} }, modified, current), modified);
});

test('nothing to do is an empty patch, whatever the server filled in', (t) => {
  const manifest = { spec: { ports: [{ port: 80 }], selector: { a: 'b' } } };
  const current = { spec: { ports: [{ port: 80, protocol: 'TCP' }], selector: { a: 'b' }, type: 'ClusterIP' } };
  t.deepEqual(threeWayPatch(manifest, manifest, current, services.schema), {});
});

test('a null in a manifest removes', (t) => {
  t.deepEqual(threeWayPatch({}, { spec: { a: null, b: null } }, { spec: { a: 1 } }, undefined), { spec: { a: null } });
});

const json = fc.dictionary(
  fc.constantFrom('a', 'b', 'c'),
  fc.oneof(fc.integer({ min: 0, max: 2 }), fc.dictionary(fc.constantFrom('x', 'y'), fc.boolean())),
);

test('property: without a schema, after the merge patch all of the manifest is there, and a second apply is nothing', (t) => {
  fc.assert(
    fc.property(json, json, json, (original, modified, current) => {
      const result = applyMergePatch(current, threeWayPatch(original, modified, current, undefined)) as JsonObject;
      t.deepEqual(threeWayPatch(modified, modified, result, undefined), {});
      for (const name of Object.keys(original)) if (!(name in modified)) t.false(name in result);
    }),
  );
  t.pass();
});

test('the annotation is written as kubectl writes it, and read back', (t) => {
  const manifest = { kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: 'a', annotations: { z: '<&>' } } };
  const text =
    '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"annotations":{"z":"\\u003c\\u0026\\u003e"},"name":"a"}}\n';
  const written = withLastApplied(manifest);
  t.like(written, { metadata: { annotations: { z: '<&>', [lastAppliedAnnotation]: text } } });
  t.deepEqual(lastApplied(written), manifest);
  t.deepEqual(withLastApplied(written), written, 'its own annotation is no part of it');
  t.is(lastApplied({ metadata: { annotations: { [lastAppliedAnnotation]: '{' } } }), undefined);
});
