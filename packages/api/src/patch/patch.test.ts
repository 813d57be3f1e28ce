import test from 'ava';
import fc from 'fast-check';
import type { JsonValue } from '../schema/json.js';
import { applyJsonPatch } from './jsonpatch.js';
import { applyMergePatch, createMergePatch } from './merge.js';
import { jsonEqual } from './json.js';

const json = fc.jsonValue() as fc.Arbitrary<JsonValue>;

// RFC 7386, appendix A.
const mergeCases: [JsonValue, JsonValue, JsonValue][] = [
  [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
  [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
  [{ a: 'b' }, { a: null }, {}],
  [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
  [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
  [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
  [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
  [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
  [
    ['a', 'b'],
    ['c', 'd'],
    ['c', 'd'],
  ],
  [{ a: 'b' }, ['c'], ['c']],
  [{ a: 'foo' }, null, null],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  [[1, 2], { a: 'b', c: null }, { a: 'b' }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
];
for (const [doc, patch, expected] of mergeCases) {
  test(`merge ${JSON.stringify(patch)} into ${JSON.stringify(doc)}`, (t) => {
    const before = structuredClone(doc);
    t.deepEqual(applyMergePatch(doc, patch), expected);
    t.deepEqual(doc, before);
  });
}

/** A merge patch cannot write a null into an object. */
function withoutNulls(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value;
  if (typeof value !== 'object' || value === null) return value ?? 0;
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, withoutNulls(v)]));
}

test('property: the merge patch from one document to another leads there', (t) => {
  fc.assert(
    fc.property(json, json, (from, to) => {
      const target = withoutNulls(to);
      return jsonEqual(applyMergePatch(from, createMergePatch(from, target)), target);
    }),
  );
  t.pass();
});

test('property: a merge patch applied twice changes nothing more', (t) => {
  fc.assert(
    fc.property(json, json, (doc, patch) => {
      const once = applyMergePatch(doc, patch);
      return jsonEqual(applyMergePatch(once, patch), once);
    }),
  );
  t.pass();
});

// RFC 6902, appendix A and errata.
const patchCases: [string, JsonValue, JsonValue, JsonValue][] = [
  ['add a member', { foo: 'bar' }, [{ op: 'add', path: '/baz', value: 'qux' }], { foo: 'bar', baz: 'qux' }],
  ['add an element', { foo: ['a', 'b'] }, [{ op: 'add', path: '/foo/1', value: 'x' }], { foo: ['a', 'x', 'b'] }],
  ['append', { foo: ['a'] }, [{ op: 'add', path: '/foo/-', value: ['b'] }], { foo: ['a', ['b']] }],
  ['remove a member', { a: 1, b: 2 }, [{ op: 'remove', path: '/b' }], { a: 1 }],
  ['remove an element', { a: [1, 2, 3] }, [{ op: 'remove', path: '/a/1' }], { a: [1, 3] }],
  ['replace', { a: 1 }, [{ op: 'replace', path: '/a', value: { b: null } }], { a: { b: null } }],
  ['replace all', { a: 1 }, [{ op: 'replace', path: '', value: [1] }], [1]],
  ['move', { a: { x: 1 }, b: {} }, [{ op: 'move', from: '/a/x', path: '/b/y' }], { a: {}, b: { y: 1 } }],
  ['move within', { a: [1, 2, 3] }, [{ op: 'move', from: '/a/0', path: '/a/2' }], { a: [2, 3, 1] }],
  ['copy', { a: { x: [1] } }, [{ op: 'copy', from: '/a', path: '/b' }], { a: { x: [1] }, b: { x: [1] } }],
  [
    'test',
    { a: { b: [1, { c: 2 }] } },
    [{ op: 'test', path: '/a', value: { b: [1, { c: 2 }] } }],
    { a: { b: [1, { c: 2 }] } },
  ],
  [
    'escapes',
    { 'a/b': 1, 'c~d': 2 },
    [
      { op: 'remove', path: '/a~1b' },
      { op: 'remove', path: '/c~0d' },
    ],
    {},
  ],
  ['nested add', { a: [{ b: {} }] }, [{ op: 'add', path: '/a/0/b/c', value: 1 }], { a: [{ b: { c: 1 } }] }],
];
for (const [what, doc, patch, expected] of patchCases) {
  test(`JSON patch: ${what}`, (t) => {
    const before = structuredClone(doc);
    t.deepEqual(applyJsonPatch(doc, patch), expected);
    t.deepEqual(doc, before);
  });
}

test('a JSON patch that does not apply is 422', (t) => {
  const bad: JsonValue[] = [
    [{ op: 'remove', path: '/x' }],
    [{ op: 'replace', path: '/x', value: 1 }],
    [{ op: 'add', path: '/x/y', value: 1 }],
    [{ op: 'add', path: '/l/3', value: 1 }],
    [{ op: 'add', path: '/l/01', value: 1 }],
    [{ op: 'remove', path: '/l/2' }],
    [{ op: 'test', path: '/l', value: [2, 1] }],
    [{ op: 'move', from: '/o', path: '/o/p' }],
    [{ op: 'fly', path: '/o' }],
    [{ op: 'add', path: 'o', value: 1 }],
    [{ op: 'add', path: '/o' }],
  ];
  for (const patch of bad) {
    const error = t.throws(
      () => applyJsonPatch({ l: [1, 2], o: {} }, patch),
      { name: 'StatusError' },
      JSON.stringify(patch),
    );
    t.like(error, { httpStatus: 422 }, JSON.stringify(patch));
  }
  t.like(
    t.throws(() => applyJsonPatch({}, {})),
    { httpStatus: 400 },
  );
});

test('prototype members are out of reach', (t) => {
  applyMergePatch({}, JSON.parse('{"__proto__":{"polluted":1}}') as JsonValue);
  applyJsonPatch({}, [{ op: 'add', path: '/__proto__', value: { polluted: 1 } }]);
  t.throws(() => applyJsonPatch({}, [{ op: 'add', path: '/constructor/prototype/polluted', value: 1 }]));
  t.false('polluted' in {});
});
