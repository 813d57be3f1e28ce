import { NamedError } from '@flotilla/base';
import { canonicalQuantity, QuantityError } from '../quantity.js';

/** A text that is not of its field's form. The message is Go's. */
export class ScalarError extends NamedError {
  constructor(message: string, cause?: unknown) {
    super('BadScalar', message, { cause });
  }
}

const rfc3339 = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(Z|[+-]\d\d:\d\d)$/;

/** A moment: whole seconds since the epoch, and the rest in nanoseconds (0 to 999999999). */
export interface Instant {
  readonly seconds: number;
  readonly nanos: number;
}

/** Reads RFC 3339 as Go's `time.Parse(time.RFC3339, …)` does. Throws ScalarError. */
export function parseInstant(text: string, layout = '2006-01-02T15:04:05Z07:00'): Instant {
  const match = rfc3339.exec(text);
  if (match === null) throw badTime(text, layout);
  const [, year, month, day, hour, minute, second, fraction = '', zone = 'Z'] = match;
  const ms = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second));
  const date = new Date(ms);
  const rolled = date.getUTCDate() !== Number(day) || date.getUTCMinutes() !== Number(minute) || Number(second) > 59;
  if (rolled || Number(hour) > 23) throw new ScalarError(`parsing time ${JSON.stringify(text)}: day out of range`);
  return { seconds: ms / 1000 - offsetOf(zone), nanos: Number(fraction.padEnd(9, '0').slice(0, 9)) };
}

function badTime(text: string, layout: string): ScalarError {
  const shown = JSON.stringify(text);
  return new ScalarError(`parsing time ${shown} as ${JSON.stringify(layout)}: cannot parse ${shown} as "2006"`);
}

function offsetOf(zone: string): number {
  if (zone === 'Z') return 0;
  const seconds = Number(zone.slice(1, 3)) * 3600 + Number(zone.slice(4)) * 60;
  return zone.startsWith('-') ? -seconds : seconds;
}

/** A `Time`: UTC, whole seconds. */
export function formatSeconds(seconds: number): string {
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`;
}

/** A `MicroTime`: UTC, six decimals. */
export function formatMicros({ seconds, nanos }: Instant): string {
  const micros = String(Math.trunc(nanos / 1000)).padStart(6, '0');
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}.${micros}Z`;
}

const canonicalTimePattern = /^\d{4}-(0[1-9]|1[0-2])-([01]\d|2[0-8])T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ$/;

/** As Go would print it again. Throws ScalarError. */
export function canonicalTime(text: string): string {
  return canonicalTimePattern.test(text) ? text : formatSeconds(parseInstant(text).seconds);
}

/** As Go would print it again; upstream insists on six decimals, we take any number of them. Throws ScalarError. */
export function canonicalMicroTime(text: string): string {
  return formatMicros(parseInstant(text, '2006-01-02T15:04:05.000000Z07:00'));
}

/** Small amounts in the usual units are canonical already. */
const plainQuantity = /^(0|[1-9]\d{0,2}(m|k|M|G|Ki|Mi|Gi)?)$/;

/** Throws ScalarError with upstream's words. */
export function canonicalAmount(text: string): string {
  if (plainQuantity.test(text)) return text;
  try {
    return canonicalQuantity(text.trim());
  } catch (error) {
    if (error instanceof QuantityError) throw new ScalarError(error.message, error);
    throw error;
  }
}

/** Standard base64, padded; Go skips line breaks. Throws ScalarError. */
export function canonicalBase64(text: string): string {
  const dense = text.replace(/[\r\n]/g, '');
  const wrong = dense.search(/[^A-Za-z0-9+/]/);
  const body = wrong < 0 ? dense.length : wrong;
  const padding = dense.slice(body);
  if (dense.length % 4 === 0 && /^={0,2}$/.test(padding)) return dense;
  // Go blames the foreign character, or the start of the group that is too short.
  const at = padding === '' || padding.startsWith('=') ? body - (body % 4) : body;
  throw new ScalarError(`illegal base64 data at input byte ${at}`);
}

const units: ReadonlyArray<readonly [string, bigint]> = [
  ['h', 3_600_000_000_000n],
  ['m', 60_000_000_000n],
  ['s', 1_000_000_000n],
];
const unitNanos = new Map<string, bigint>([
  ...units,
  ['ms', 1_000_000n],
  ['us', 1000n],
  ['µs', 1000n],
  ['μs', 1000n],
  ['ns', 1n],
]);

/** Nanoseconds of a Go duration such as `1h2m3.5s`. Throws ScalarError. */
export function parseNanos(text: string): bigint {
  if (/^[+-]?0$/.test(text)) return 0n;
  if (!/^[+-]?((\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h))+$/.test(text)) {
    throw new ScalarError(`time: invalid duration ${JSON.stringify(text)}`);
  }
  let nanos = 0n;
  for (const [, whole = '', fraction = '', unit = ''] of text.matchAll(/(\d*)(?:\.(\d*))?(ns|us|µs|μs|ms|s|m|h)/g)) {
    nanos += (BigInt(whole + fraction) * (unitNanos.get(unit) ?? 1n)) / 10n ** BigInt(fraction.length);
  }
  return text.startsWith('-') ? -nanos : nanos;
}

/** Go's `Duration.String`: `1h2m3.5s`, `0s`, `1.5ms`. */
export function formatNanos(nanos: bigint): string {
  if (nanos === 0n) return '0s';
  const sign = nanos < 0n ? '-' : '';
  let rest = nanos < 0n ? -nanos : nanos;
  for (const [unit, scale] of [
    ['ns', 1n],
    ['µs', 1000n],
    ['ms', 1_000_000n],
  ] as const) {
    if (rest < scale * 1000n) return `${sign}${decimal(rest, scale)}${unit}`;
  }
  let text = '';
  for (const [unit, scale] of units) {
    if (unit === 's') text += `${decimal(rest, scale)}s`;
    else if (rest >= scale || text !== '') {
      text += `${rest / scale}${unit}`;
      rest %= scale;
    }
  }
  return sign + text;
}

function decimal(amount: bigint, scale: bigint): string {
  const fraction = String(amount % scale)
    .padStart(String(scale).length - 1, '0')
    .replace(/0+$/, '');
  return fraction === '' || scale === 1n ? String(amount / scale) : `${amount / scale}.${fraction}`;
}
