import test from 'ava';
import fc from 'fast-check';
import { canonicalQuantity, parseQuantity, Quantity, QuantityError, tryQuantity } from './quantity.js';

const canonical: [string, string][] = [
  ['0', '0'],
  ['0.5', '500m'],
  ['0.1', '100m'],
  ['1000m', '1'],
  ['1500m', '1500m'],
  ['1.5', '1500m'],
  ['100m', '100m'],
  ['1000', '1k'],
  ['1500', '1500'],
  ['1024', '1024'],
  ['1024Ki', '1Mi'],
  ['1024Mi', '1Gi'],
  ['1.5Gi', '1536Mi'],
  ['0.5Ki', '512'],
  ['1Ki', '1Ki'],
  ['512Ki', '512Ki'],
  ['1e3', '1e3'],
  ['1E3', '1e3'],
  ['12e-1', '1200e-3'],
  ['1k', '1k'],
  ['1M', '1M'],
  ['1000k', '1M'],
  ['-1.5Gi', '-1536Mi'],
  ['+5', '5'],
  ['.5', '500m'],
  ['5.', '5'],
  ['1n', '1n'],
  ['0.1n', '1n'],
  ['1u', '1u'],
  ['1.5Ki', '1536'],
  ['1000000Mi', '1000000Mi'],
  ['100Ei', '9223372036854775807'],
];
for (const [text, expected] of canonical) {
  test(`${text} is written ${expected}`, (t) => t.is(canonicalQuantity(text), expected));
}

test('what is no amount is refused', (t) => {
  for (const text of ['', 'a', '1x', 'Ki', '1Kib', '1 Gi', '--1', '1.2.3', '1e', '.']) {
    t.throws(() => parseQuantity(text), { instanceOf: QuantityError }, text);
    t.is(tryQuantity(text), undefined);
  }
  t.is(
    t.throws(() => parseQuantity('abc'))?.message,
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
  );
});

test('value and milli round up', (t) => {
  t.is(parseQuantity('1500m').value(), 2);
  t.is(parseQuantity('1500m').milli(), 1500);
  t.is(parseQuantity('1u').milli(), 1);
  t.is(parseQuantity('64Mi').value(), 67108864);
  t.is(parseQuantity('2').milli(), 2000);
});

test('comparison is by amount, not by text', (t) => {
  t.is(parseQuantity('1Ki').compare(parseQuantity('1024')), 0);
  t.true(parseQuantity('1G').compare(parseQuantity('1Gi')) < 0);
  t.true(parseQuantity('101m').compare(parseQuantity('0.1')) > 0);
});

const amount = fc.tuple(
  fc.bigInt({ min: -(10n ** 12n), max: 10n ** 12n }),
  fc.constantFrom('', 'm', 'k', 'M', 'Ki', 'Mi', 'u', 'n', 'e3', 'e-2'),
);

test('property: the canonical text means the same amount and is its own canonical text', (t) => {
  fc.assert(
    fc.property(amount, ([n, suffix]) => {
      const quantity = parseQuantity(`${n}${suffix}`);
      const text = quantity.toString();
      return parseQuantity(text).compare(quantity) === 0 && canonicalQuantity(text) === text;
    }),
  );
  t.pass();
});

test('property: addition is exact and undone by subtraction', (t) => {
  fc.assert(
    fc.property(amount, amount, ([a, s], [b, u]) => {
      const [x, y] = [parseQuantity(`${a}${s}`), parseQuantity(`${b}${u}`)];
      return x.add(y).subtract(y).compare(x) === 0 && x.add(y).compare(y.add(x)) === 0;
    }),
  );
  t.pass();
});

test('property: whole numbers and thousandths go through unchanged', (t) => {
  fc.assert(fc.property(fc.integer(), (n) => Quantity.of(n).value() === n && Quantity.ofMilli(n).milli() === n));
  t.pass();
});
