import test from 'ava';
import fc from 'fast-check';
import { canonicalBase64, canonicalTime, formatNanos, parseInstant, parseNanos, ScalarError } from './scalars.js';

test('durations read and print as in Go', (t) => {
  const pairs: readonly (readonly [string, string])[] = [
    ['0', '0s'],
    ['1.5h', '1h30m0s'],
    ['90s', '1m30s'],
    ['1500ms', '1.5s'],
    ['1500us', '1.5ms'],
    ['-2m', '-2m0s'],
    ['100ns', '100ns'],
    ['3600s', '1h0m0s'],
  ];
  for (const [text, printed] of pairs) t.is(formatNanos(parseNanos(text)), printed, text);
  for (const wrong of ['', '5', '1x', 'h', '1h-2m']) t.throws(() => parseNanos(wrong), { instanceOf: ScalarError });
  fc.assert(fc.property(fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n }), (n) => parseNanos(formatNanos(n)) === n));
});

test('times are RFC 3339 in UTC', (t) => {
  t.is(canonicalTime('2024-02-29T23:59:59-01:00'), '2024-03-01T00:59:59Z');
  t.deepEqual(parseInstant('1970-01-01T00:00:01.000000123Z'), { seconds: 1, nanos: 123 });
  for (const wrong of ['', '2024-01-01', '2024-01-01T24:00:00Z', '2023-02-29T00:00:00Z', '2024-01-01 00:00:00Z']) {
    t.throws(() => canonicalTime(wrong), { instanceOf: ScalarError }, wrong);
  }
});

test('base64 has its padding; line breaks are skipped', (t) => {
  t.is(canonicalBase64('YW\nJj'), 'YWJj');
  for (const wrong of ['YWJ', 'YWJjZA', 'Y===', 'YW-j'])
    t.throws(() => canonicalBase64(wrong), { instanceOf: ScalarError });
});
