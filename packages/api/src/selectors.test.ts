import test from 'ava';
import fc from 'fast-check';
import { FieldSelector, parseFieldSelector } from './field-selectors.js';
import { fieldsOf, supportedFieldSelector } from './fields.js';
import { formatLabelSelector, LabelSelector, labelSelectorOf, parseLabelSelector } from './selectors.js';

const cases: [string, Record<string, string>, boolean][] = [
  ['', { a: 'b' }, true],
  ['a=b', { a: 'b' }, true],
  ['a==b', { a: 'b' }, true],
  ['a=b', { a: 'c' }, false],
  ['a=b', {}, false],
  ['a!=b', {}, true],
  ['a!=b', { a: 'b' }, false],
  ['a in (b,c)', { a: 'c' }, true],
  ['a in (b, c)', { a: 'd' }, false],
  ['a notin (b,c)', {}, true],
  ['a notin (b,c)', { a: 'b' }, false],
  ['a', { a: '' }, true],
  ['!a', { a: '' }, false],
  ['!a', {}, true],
  [' ! a , b ', { b: '1' }, true],
  ['a=', { a: '' }, true],
  ['a=,b=c', { a: '', b: 'c' }, true],
  ['a in (,b)', { a: '' }, true],
  ['n>5', { n: '6' }, true],
  ['n<5', { n: '6' }, false],
  ['n>5', { n: 'x' }, false],
  ['example.com/name in (x)', { 'example.com/name': 'x' }, true],
  ['in in (in)', { in: 'in' }, true],
];
for (const [text, labels, expected] of cases) {
  test(`"${text}" ${expected ? 'matches' : 'does not match'} ${JSON.stringify(labels)}`, (t) => {
    const selector = parseLabelSelector(text);
    t.is(selector.matches(labels), expected);
    t.is(parseLabelSelector(selector.toString()).matches(labels), expected);
  });
}

const refused: [string, string][] = [
  ['a=b=c', "unable to parse requirement: found '=', expected: ',' or 'end of string'"],
  ['a in b', "unable to parse requirement: found 'b' expected: '('"],
  ['a in (b', "unable to parse requirement: found '', expected: ',', or ')'"],
  ['a,', "unable to parse requirement: found '', expected: identifier after ','"],
  [',a', "unable to parse requirement: found ',', expected: !, identifier, or 'end of string'"],
  ['a b', "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"],
];
for (const [text, message] of refused) {
  test(`"${text}" is refused`, (t) => {
    t.is(t.throws(() => parseLabelSelector(text))?.message, message);
  });
}

test('a bad key or value is named', (t) => {
  t.regex(
    t.throws(() => parseLabelSelector('-a=b'))!.message,
    /^unable to parse requirement: <nil>: Invalid value: "-a": name part must consist of/,
  );
  t.regex(
    t.throws(() => parseLabelSelector('a=-b'))!.message,
    /^unable to parse requirement: values\[0\]\[a\]: Invalid value: "-b": a valid label must be/,
  );
});

test('an absent selector object matches nothing, an empty one everything', (t) => {
  t.false(labelSelectorOf(undefined).matches({}));
  t.true(labelSelectorOf({}).matches({ a: 'b' }));
  t.true(labelSelectorOf({}).isEmpty);
  t.false(LabelSelector.nothing.isEmpty);
});

test('a selector object is read and written', (t) => {
  const selector = {
    matchLabels: { app: 'web' },
    matchExpressions: [
      { key: 'tier', operator: 'In' as const, values: ['b', 'a'] },
      { key: 'old', operator: 'DoesNotExist' as const },
    ],
  };
  t.is(formatLabelSelector(selector), 'app=web,!old,tier in (a,b)');
  t.true(labelSelectorOf(selector).matches({ app: 'web', tier: 'a' }));
  t.false(labelSelectorOf(selector).matches({ app: 'web', tier: 'a', old: '' }));
  t.is(formatLabelSelector({}), '<none>');
});

const key = fc.stringMatching(/^[a-z][a-z0-9]{0,4}$/);
const value = fc.stringMatching(/^([A-Za-z0-9][A-Za-z0-9._-]{0,4}[A-Za-z0-9])?$/);

test('property: a selector of an object’s own labels selects it, and survives being written and read', (t) => {
  fc.assert(
    fc.property(
      fc.dictionary(key, value, { maxKeys: 4 }),
      fc.dictionary(key, value, { maxKeys: 4 }),
      (wanted, labels) => {
        const selector = LabelSelector.ofLabels(wanted);
        const again = parseLabelSelector(selector.toString());
        return (
          selector.matches({ ...labels, ...wanted }) &&
          again.toString() === selector.toString() &&
          again.matches(labels) === selector.matches(labels)
        );
      },
    ),
  );
  t.pass();
});

test('field selectors: operators, escapes, round trip', (t) => {
  const selector = parseFieldSelector('metadata.name=a,status.phase!=Running,x==1\\,2\\=3\\\\');
  t.deepEqual(selector.requirements, [
    { field: 'metadata.name', operator: '=', value: 'a' },
    { field: 'status.phase', operator: '!=', value: 'Running' },
    { field: 'x', operator: '=', value: '1,2=3\\' },
  ]);
  t.is(selector.exact('metadata.name'), 'a');
  t.deepEqual(parseFieldSelector(selector.toString()).requirements, selector.requirements);
  t.true(parseFieldSelector('').isEmpty);
  t.is(t.throws(() => parseFieldSelector('abc'))?.message, "invalid selector: 'abc'; can't understand 'abc'");
});

test('property: any value survives escaping', (t) => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const written = [{ field: 'a', operator: '=' as const, value: text }];
      const selector = new FieldSelector(written);
      return parseFieldSelector(selector.toString()).exact('a') === text;
    }),
  );
  t.pass();
});

const pods = { group: '', kind: 'Pod' };
const pod = {
  metadata: { name: 'p', namespace: 'd' },
  spec: { containers: [], nodeName: 'n1' },
  status: { phase: 'Running' },
};

test('a pod is selected by node and phase', (t) => {
  const selector = supportedFieldSelector(
    pods,
    parseFieldSelector('spec.host=n1,status.phase=Running,metadata.namespace=d'),
  );
  t.true(selector.matches(fieldsOf(pods, pod)));
  t.false(supportedFieldSelector(pods, parseFieldSelector('spec.nodeName=')).matches(fieldsOf(pods, pod)));
});

test('unknown fields are refused in upstream’s words', (t) => {
  t.is(
    t.throws(() => supportedFieldSelector(pods, parseFieldSelector('spec.foo=1')))?.message,
    'field label not supported: spec.foo',
  );
  t.is(
    t.throws(() => supportedFieldSelector({ group: 'apps', kind: 'Deployment' }, parseFieldSelector('spec.foo=1')))
      ?.message,
    '"spec.foo" is not a known field selector: only "metadata.name", "metadata.namespace"',
  );
});
