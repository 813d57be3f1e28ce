import { NamedError } from '@flotilla/base';

/** How a quantity is written: `1Ki`, `1k`, `1e3`. Kept through arithmetic, as upstream does. */
export type QuantityFormat = 'BinarySI' | 'DecimalSI' | 'DecimalExponent';

/** A text that is no quantity. The message is upstream's. */
export class QuantityError extends NamedError {
  constructor(message: string) {
    super('BadQuantity', message);
  }
}

const giga = 1_000_000_000n;
/** Upstream caps what it cannot hold in an int64 (`maxAllowed`); in nano units. */
const cap = (2n ** 63n - 1n) * giga;
const decimalExponents: Record<string, number> = { n: -9, u: -6, m: -3, '': 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };
const decimalSuffixes = new Map(Object.entries(decimalExponents).map(([suffix, e]) => [e, suffix]));
const binarySuffixes = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
const shape = /^([+-]?)(\d*)(?:\.(\d*))?(.*)$/s;
const wrongFormat = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

function magnitude(value: bigint): bigint {
  return value < 0n ? -value : value;
}

/** Division that rounds away from zero: who asks for a little gets something. */
function divideUp(value: bigint, by: bigint): bigint {
  const quotient = value / by;
  if (value % by === 0n) return quotient;
  return value < 0n ? quotient - 1n : quotient + 1n;
}

interface Suffix {
  format: QuantityFormat;
  base: bigint;
  exponent: number;
}

function parseSuffix(suffix: string): Suffix {
  const decimal = Object.hasOwn(decimalExponents, suffix) ? decimalExponents[suffix] : undefined;
  if (decimal !== undefined) return { format: 'DecimalSI', base: 10n, exponent: decimal };
  const binary = binarySuffixes.indexOf(suffix);
  if (binary > 0) return { format: 'BinarySI', base: 1024n, exponent: binary };
  if (/^[eE][+-]?\d+$/.test(suffix)) {
    return { format: 'DecimalExponent', base: 10n, exponent: Math.max(-100, Math.min(100, Number(suffix.slice(1)))) };
  }
  if (!/^[eEinumkKMGTP]*[-+]?\d*$/.test(suffix)) throw new QuantityError(wrongFormat);
  throw new QuantityError("unable to parse quantity's suffix");
}

/**
 * A resource amount with exact decimal arithmetic, down to one billionth (upstream's `resource.Quantity`). Finer
 * amounts round away from zero. Immutable.
 */
export class Quantity {
  readonly #nanos: bigint;
  readonly format: QuantityFormat;

  private constructor(nanos: bigint, format: QuantityFormat) {
    this.#nanos = nanos;
    this.format = format;
  }

  static readonly zero = new Quantity(0n, 'DecimalSI');

  /** Throws QuantityError. */
  static parse(text: string): Quantity {
    if (text === '') throw new QuantityError(wrongFormat);
    const [, sign, whole = '', fraction = '', rest = ''] = shape.exec(text)!;
    const { format, base, exponent } = parseSuffix(rest);
    if (whole === '' && fraction === '') throw new QuantityError(wrongFormat);
    let nanos = BigInt(whole + fraction) * giga;
    if (exponent > 0) nanos *= base ** BigInt(exponent);
    nanos = divideUp(nanos, 10n ** BigInt(fraction.length + (base === 10n ? Math.max(0, -exponent) : 0)));
    const fits = base === 10n && whole.length + fraction.length <= 18;
    if (!fits && nanos > cap) nanos = cap;
    return new Quantity(sign === '-' ? -nanos : nanos, format);
  }

  /** A whole number, e.g. of bytes (`BinarySI`) or pods. Must be a safe integer. */
  static of(value: number, format: QuantityFormat = 'DecimalSI'): Quantity {
    return new Quantity(BigInt(value) * giga, format);
  }

  /** Thousandths, e.g. of a CPU. Must be a safe integer. */
  static ofMilli(milli: number, format: QuantityFormat = 'DecimalSI'): Quantity {
    return new Quantity(BigInt(milli) * 1_000_000n, format);
  }

  /** The whole amount, rounded away from zero. Exact below 2^53. */
  value(): number {
    return Number(divideUp(this.#nanos, giga));
  }

  /** The amount in thousandths, rounded away from zero. */
  milli(): number {
    return Number(divideUp(this.#nanos, 1_000_000n));
  }

  /** The amount as a floating-point number. */
  approximate(): number {
    return Number(this.#nanos) / 1e9;
  }

  isZero(): boolean {
    return this.#nanos === 0n;
  }

  /** -1, 0 or 1. */
  sign(): number {
    return this.#nanos === 0n ? 0 : this.#nanos < 0n ? -1 : 1;
  }

  isInteger(): boolean {
    return this.#nanos % giga === 0n;
  }

  /** Negative, zero or positive. Formats do not matter: `1Ki` equals `1024`. */
  compare(other: Quantity): number {
    return this.#nanos < other.#nanos ? -1 : this.#nanos > other.#nanos ? 1 : 0;
  }

  /** The sum in this quantity's format, or in the other's if this is zero. */
  add(other: Quantity): Quantity {
    return new Quantity(this.#nanos + other.#nanos, this.isZero() ? other.format : this.format);
  }

  subtract(other: Quantity): Quantity {
    return new Quantity(this.#nanos - other.#nanos, this.isZero() ? other.format : this.format);
  }

  negate(): Quantity {
    return new Quantity(-this.#nanos, this.format);
  }

  /** The canonical text: no fraction, the largest suffix that loses nothing. */
  toString(): string {
    const binary = this.format === 'BinarySI' && this.isInteger() && magnitude(this.#nanos) >= 1024n * giga;
    return binary ? this.#binary() : this.#decimal();
  }

  toJSON(): string {
    return this.toString();
  }

  #binary(): string {
    let value = this.#nanos / giga;
    let power = 0;
    while (power < binarySuffixes.length - 1 && value % 1024n === 0n) {
      value /= 1024n;
      power++;
    }
    return `${value}${binarySuffixes[power]}`;
  }

  #decimal(): string {
    if (this.#nanos === 0n) return '0';
    let value = this.#nanos;
    let exponent = -9;
    while (value % 1000n === 0n && exponent < 18) {
      value /= 1000n;
      exponent += 3;
    }
    if (this.format !== 'DecimalExponent') return `${value}${decimalSuffixes.get(exponent)}`;
    return exponent === 0 ? `${value}` : `${value}e${exponent}`;
  }
}

/** Throws QuantityError. */
export function parseQuantity(text: string): Quantity {
  return Quantity.parse(text);
}

/** The text as the API shows it again: `0.5` is `500m`, `1024Mi` is `1Gi`. Throws QuantityError. */
export function canonicalQuantity(text: string | number): string {
  return Quantity.parse(String(text)).toString();
}

/** The amount, or undefined if the text is absent or no quantity. */
export function tryQuantity(text: string | undefined): Quantity | undefined {
  if (text === undefined) return undefined;
  try {
    return Quantity.parse(text);
  } catch (error) {
    if (error instanceof QuantityError) return undefined;
    throw error;
  }
}
