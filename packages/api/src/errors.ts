/** What kind of mistake a field holds: upstream's `field.ErrorType`, which is also the `reason` of a status cause. */
export type FieldErrorType =
  | 'FieldValueNotFound'
  | 'FieldValueRequired'
  | 'FieldValueDuplicate'
  | 'FieldValueInvalid'
  | 'FieldValueNotSupported'
  | 'FieldValueForbidden'
  | 'FieldValueTooLong'
  | 'FieldValueTooMany'
  | 'FieldValueTypeInvalid'
  | 'InternalError';

const phrases: Record<FieldErrorType, string> = {
  FieldValueNotFound: 'Not found',
  FieldValueRequired: 'Required value',
  FieldValueDuplicate: 'Duplicate value',
  FieldValueInvalid: 'Invalid value',
  FieldValueNotSupported: 'Unsupported value',
  FieldValueForbidden: 'Forbidden',
  FieldValueTooLong: 'Too long',
  FieldValueTooMany: 'Too many',
  FieldValueTypeInvalid: 'Invalid value',
  InternalError: 'Internal error',
};

/** Types whose text never shows the offending value. */
const valueless: ReadonlySet<FieldErrorType> = new Set<FieldErrorType>([
  'FieldValueRequired',
  'FieldValueForbidden',
  'FieldValueTooLong',
  'InternalError',
]);

/** A path to a field of an object, written as upstream does: `spec.containers[0].env[k].name`. */
export class FieldPath {
  readonly #text: string;

  private constructor(text: string) {
    this.#text = text;
  }

  static readonly root = new FieldPath('');

  /** `path('spec', 'selector')` is `spec.selector`. */
  static of(...names: string[]): FieldPath {
    return new FieldPath(names.join('.'));
  }

  child(...names: string[]): FieldPath {
    return new FieldPath([...(this.#text === '' ? [] : [this.#text]), ...names].join('.'));
  }

  index(i: number): FieldPath {
    return new FieldPath(`${this.#text}[${i}]`);
  }

  key(key: string): FieldPath {
    return new FieldPath(`${this.#text}[${key}]`);
  }

  toString(): string {
    return this.#text === '' ? '<nil>' : this.#text;
  }
}

/** Go's `%q` for the strings that occur here. */
export function quote(text: string): string {
  return JSON.stringify(text).replaceAll('\u007f', '\\x7f');
}

/** Go prints a text quoted, anything else as JSON, in which its encoder escapes what HTML would trip over. */
function describeValue(value: unknown): string {
  if (typeof value === 'string') return quote(value);
  const json = JSON.stringify(value ?? null);
  return json.replaceAll('<', '\\u003c').replaceAll('>', '\\u003e').replaceAll('&', '\\u0026');
}

/** One mistake in one field. It is a value, not an exception: validation returns a list of them. */
export class FieldError {
  readonly type: FieldErrorType;
  readonly field: string;
  readonly badValue: unknown;
  readonly detail: string;

  constructor(type: FieldErrorType, path: FieldPath | string, badValue: unknown, detail: string) {
    this.type = type;
    this.field = path.toString();
    this.badValue = badValue;
    this.detail = detail;
  }

  /** The text without the field name, as in `details.causes[].message`. */
  get body(): string {
    const phrase = phrases[this.type];
    const head = valueless.has(this.type) ? phrase : `${phrase}: ${describeValue(this.badValue)}`;
    return this.detail === '' ? head : `${head}: ${this.detail}`;
  }

  toString(): string {
    return `${this.field}: ${this.body}`;
  }
}

type Path = FieldPath | string;

/** Constructors of field errors, in upstream's terms (apimachinery `util/validation/field`). */
export const fieldErrors = {
  required: (path: Path, detail = ''): FieldError => new FieldError('FieldValueRequired', path, '', detail),
  invalid: (path: Path, value: unknown, detail = ''): FieldError =>
    new FieldError('FieldValueInvalid', path, value, detail),
  typeInvalid: (path: Path, value: unknown, detail = ''): FieldError =>
    new FieldError('FieldValueTypeInvalid', path, value, detail),
  notSupported: (path: Path, value: unknown, supported: readonly string[]): FieldError =>
    new FieldError(
      'FieldValueNotSupported',
      path,
      value,
      supported.length === 0 ? '' : `supported values: ${[...supported].map(quote).join(', ')}`,
    ),
  duplicate: (path: Path, value: unknown, detail = ''): FieldError =>
    new FieldError('FieldValueDuplicate', path, value, detail),
  forbidden: (path: Path, detail = ''): FieldError => new FieldError('FieldValueForbidden', path, '', detail),
  notFound: (path: Path, value: unknown): FieldError => new FieldError('FieldValueNotFound', path, value, ''),
  internal: (path: Path, detail: string): FieldError => new FieldError('InternalError', path, null, detail),
  tooLong: (path: Path, maxBytes: number): FieldError =>
    new FieldError(
      'FieldValueTooLong',
      path,
      '<value omitted>',
      `may not be more than ${maxBytes} ${maxBytes === 1 ? 'byte' : 'bytes'}`,
    ),
  tooMany: (path: Path, actual: number, max: number): FieldError =>
    new FieldError('FieldValueTooMany', path, actual, `must have at most ${max} ${max === 1 ? 'item' : 'items'}`),
};

/** Errors as one text: `a` or `[a, b]`, each text once (apimachinery `Aggregate`). */
export function aggregate(errors: readonly { toString(): string }[]): string {
  const texts = [...new Set(errors.map(String))];
  return texts.length === 1 ? texts[0]! : `[${texts.join(', ')}]`;
}
