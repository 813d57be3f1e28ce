import type * as meta from './gen/meta-v1.js';
import { aggregate, type FieldError, FieldPath, fieldErrors, quote } from './errors.js';
import { labelValueErrors, qualifiedNameErrors } from './names.js';
import { badRequest } from './status.js';

export type LabelOperator = 'in' | 'notin' | '=' | '==' | '!=' | 'exists' | '!' | 'gt' | 'lt';

export interface LabelRequirement {
  readonly key: string;
  readonly operator: LabelOperator;
  readonly values: readonly string[];
}

type Labels = Readonly<Record<string, string>>;

/** A label selector: all of its requirements must hold. No requirement matches everything, `nothing` matches nothing. */
export class LabelSelector {
  readonly requirements: readonly LabelRequirement[];
  readonly #none: boolean;

  private constructor(requirements: readonly LabelRequirement[], none: boolean) {
    this.requirements = [...requirements].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
    this.#none = none;
  }

  static readonly everything = new LabelSelector([], false);
  static readonly nothing = new LabelSelector([], true);

  static of(requirements: readonly LabelRequirement[]): LabelSelector {
    return requirements.length === 0 ? LabelSelector.everything : new LabelSelector(requirements, false);
  }

  /** Equality with every label of `labels`, as in a Service's `spec.selector`. */
  static ofLabels(labels: Labels | undefined): LabelSelector {
    return LabelSelector.of(
      Object.entries(labels ?? {}).map(([key, value]) => ({ key, operator: '=', values: [value] })),
    );
  }

  /** True of the selector that matches everything. */
  get isEmpty(): boolean {
    return !this.#none && this.requirements.length === 0;
  }

  matches(labels: Labels | undefined): boolean {
    return !this.#none && this.requirements.every((r) => holds(r, labels ?? {}));
  }

  /** The canonical text, which `parseLabelSelector` reads back. */
  toString(): string {
    return this.requirements.map(requirementText).join(',');
  }
}

function holds(requirement: LabelRequirement, labels: Labels): boolean {
  const { key, operator, values } = requirement;
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case 'in':
    case '=':
    case '==':
      return value !== undefined && values.includes(value);
    case 'notin':
    case '!=':
      return value === undefined || !values.includes(value);
    case 'exists':
      return value !== undefined;
    case '!':
      return value === undefined;
    case 'gt':
    case 'lt': {
      if (value === undefined || !/^[+-]?\d+$/.test(value)) return false;
      const [left, right] = [BigInt(value), BigInt(values[0]!)];
      return operator === 'gt' ? left > right : left < right;
    }
  }
}

function requirementText({ key, operator, values }: LabelRequirement): string {
  const sorted = [...values].sort();
  switch (operator) {
    case '!':
      return `!${key}`;
    case 'exists':
      return key;
    case 'in':
    case 'notin':
      return `${key} ${operator} (${sorted.join(',')})`;
    case 'gt':
      return `${key}>${sorted[0]}`;
    case 'lt':
      return `${key}<${sorted[0]}`;
    default:
      return `${key}${operator}${sorted.join(',')}`;
  }
}

/** Upstream's `NewRequirement`: the key is blamed at `keyPath`, values at `values[i][key]`. */
function checkRequirement({ key, operator, values }: LabelRequirement, keyPath: FieldPath): string | undefined {
  const errors: FieldError[] = [];
  const path = FieldPath.of('values');
  const keyErrors = qualifiedNameErrors(key);
  if (keyErrors.length > 0) errors.push(fieldErrors.invalid(keyPath, key, keyErrors.join('; ')));
  if ((operator === 'in' || operator === 'notin') && values.length === 0) {
    errors.push(fieldErrors.invalid(path, values, "for 'in', 'notin' operators, values set can't be empty"));
  }
  if ((operator === 'gt' || operator === 'lt') && !/^[+-]?\d+$/.test(values[0] ?? '')) {
    const message = "for 'Gt', 'Lt' operators, the value must be an integer";
    errors.push(fieldErrors.invalid(path.index(0), values[0], message));
  }
  for (const [i, value] of values.entries()) {
    const complaints = labelValueErrors(value);
    if (complaints.length > 0) errors.push(fieldErrors.invalid(path.index(i).key(key), value, complaints.join('; ')));
  }
  return errors.length === 0 ? undefined : aggregate(errors);
}

const symbols = ['==', '!=', '=', '!', '(', ')', ',', '>', '<'];
const binaryOperators = 'in, notin, =, ==, !=, gt, lt';

/** Splits a selector into words and symbols; the empty text marks the end. */
function tokens(text: string): string[] {
  const found: string[] = [];
  for (let i = 0; i < text.length; ) {
    if (/[ \t\r\n]/.test(text[i]!)) {
      i++;
      continue;
    }
    const symbol = symbols.find((s) => text.startsWith(s, i));
    const word = symbol ?? /^[^=!(),<> \t\r\n]+/.exec(text.slice(i))![0];
    found.push(word);
    i += word.length;
  }
  return found;
}

class SelectorParser {
  readonly #tokens: string[];
  #at = 0;

  constructor(text: string) {
    this.#tokens = tokens(text);
  }

  parse(): LabelRequirement[] {
    const requirements: LabelRequirement[] = [];
    if (this.#peek() === '') return requirements;
    for (;;) {
      const next = this.#peek();
      if (next !== '!' && !isWord(next)) fail(`found '${next}', expected: !, identifier, or 'end of string'`);
      requirements.push(this.#requirement());
      const separator = this.#next();
      if (separator === '') return requirements;
      if (separator !== ',') fail(`found '${separator}', expected: ',' or 'end of string'`);
      const after = this.#peek();
      if (after !== '!' && !isWord(after)) fail(`found '${after}', expected: identifier after ','`);
    }
  }

  #peek(): string {
    return this.#tokens[this.#at] ?? '';
  }

  #next(): string {
    const token = this.#peek();
    this.#at++;
    return token;
  }

  #requirement(): LabelRequirement {
    const negated = this.#peek() === '!';
    if (negated) this.#next();
    const key = this.#next();
    if (!isWord(key)) fail(`found '${key}', expected: identifier`);
    const follows = this.#peek();
    if (negated || follows === '' || follows === ',')
      return checked({ key, operator: negated ? '!' : 'exists', values: [] });
    const operator = this.#operator();
    const values = operator === 'in' || operator === 'notin' ? this.#values() : [this.#value()];
    return checked({ key, operator, values });
  }

  #operator(): LabelOperator {
    const token = this.#next();
    if (token === '>') return 'gt';
    if (token === '<') return 'lt';
    if (token === 'in' || token === 'notin' || token === '=' || token === '==' || token === '!=') return token;
    return fail(`found '${token}', expected: ${binaryOperators}`);
  }

  #values(): string[] {
    const open = this.#next();
    if (open !== '(') fail(`found '${open}' expected: '('`);
    const values = new Set<string>();
    for (;;) {
      values.add(isWord(this.#peek()) ? this.#next() : '');
      const token = this.#next();
      if (token === ')') return [...values].sort();
      if (token !== ',') fail(`found '${token}', expected: ',', or ')'`);
    }
  }

  #value(): string {
    const next = this.#peek();
    if (next === '' || next === ',') return '';
    if (!isWord(next)) fail(`found '${next}', expected: identifier`);
    return this.#next();
  }
}

function isWord(token: string): boolean {
  return token !== '' && !symbols.includes(token);
}

function fail(message: string): never {
  throw badRequest(`unable to parse requirement: ${message}`);
}

function checked(requirement: LabelRequirement): LabelRequirement {
  const complaint = checkRequirement(requirement, FieldPath.root);
  if (complaint !== undefined) fail(complaint);
  return requirement;
}

/** Reads `app=web,tier in (a,b),!legacy`. Throws StatusError (BadRequest) in upstream's words. */
export function parseLabelSelector(text: string): LabelSelector {
  return LabelSelector.of(new SelectorParser(text).parse());
}

const expressionOperators: Record<string, LabelOperator> = {
  In: 'in',
  NotIn: 'notin',
  Exists: 'exists',
  DoesNotExist: '!',
};

/** An object's `LabelSelector`: absent matches nothing, empty matches everything. Throws StatusError (BadRequest). */
export function labelSelectorOf(selector: meta.LabelSelector | undefined | null): LabelSelector {
  if (!selector) return LabelSelector.nothing;
  const requirements: LabelRequirement[] = Object.entries(selector.matchLabels ?? {}).map(([key, value]) => ({
    key,
    operator: '=',
    values: [value],
  }));
  for (const { key, operator, values } of selector.matchExpressions ?? []) {
    const known = Object.hasOwn(expressionOperators, operator) ? expressionOperators[operator] : undefined;
    if (!known) throw badRequest(`${quote(operator)} is not a valid label selector operator`);
    requirements.push({ key, operator: known, values: values ?? [] });
  }
  for (const requirement of requirements) {
    const complaint = checkRequirement(requirement, FieldPath.of('key'));
    if (complaint !== undefined) throw badRequest(complaint);
  }
  return LabelSelector.of(requirements);
}

/** As `kubectl` shows a selector: `<none>` if it is empty, `<error>` if it is wrong. */
export function formatLabelSelector(selector: meta.LabelSelector | undefined | null): string {
  try {
    return labelSelectorOf(selector).toString() || '<none>';
  } catch {
    return '<error>';
  }
}
