import type { HeaderMatcher, QueryParameterMatcher, StringMatcher } from '@flotilla/xds';
import type { HeaderList } from './headers.js';
import { InvalidConfig, refuse } from './invalid.js';
import { compileRegex } from './regex.js';

export type TextTest = (text: string) => boolean;

/** envoy.type.matcher.v3.StringMatcher. `ignore_case` has no effect on regular expressions, as upstream. */
export function compileStringMatcher(matcher: StringMatcher, path: string): TextTest {
  refuse(path, matcher, ['custom']);
  if (matcher.safe_regex) return compileRegex(matcher.safe_regex, `${path}.safe_regex`);
  const fold = matcher.ignore_case ? (text: string) => text.toLowerCase() : (text: string) => text;
  const { exact, prefix, suffix, contains } = matcher;
  if (exact !== undefined) return compare(fold(exact), fold, (text, want) => text === want);
  if (prefix !== undefined) return compare(fold(prefix), fold, (text, want) => text.startsWith(want));
  if (suffix !== undefined) return compare(fold(suffix), fold, (text, want) => text.endsWith(want));
  if (contains !== undefined) return compare(fold(contains), fold, (text, want) => text.includes(want));
  throw new InvalidConfig(path, 'a match pattern is required');
}

function compare(
  want: string,
  fold: (text: string) => string,
  test: (text: string, want: string) => boolean,
): TextTest {
  return (text) => test(fold(text), want);
}

export type HeaderTest = (headers: HeaderList) => boolean;

/**
 * envoy.config.route.v3.HeaderMatcher. A header that is missing never satisfies a value match, inverted or not, unless
 * `treat_missing_header_as_empty` is set; several values are matched joined by a comma.
 */
export function compileHeaderMatcher(matcher: HeaderMatcher, path: string): HeaderTest {
  const name = (matcher.name ?? '').toLowerCase();
  if (!name) throw new InvalidConfig(`${path}.name`, 'a header name is required');
  const invert = matcher.invert_match ?? false;
  const value = headerValueTest(matcher, path);
  if (!value) {
    const present = matcher.present_match ?? true;
    return (headers) => (headers.has(name) === present) !== invert;
  }
  const missing = matcher.treat_missing_header_as_empty ? value('') !== invert : false;
  return (headers) => {
    const found = headers.get(name);
    return found === undefined ? missing : value(found) !== invert;
  };
}

function headerValueTest(matcher: HeaderMatcher, path: string): TextTest | undefined {
  const { exact_match, prefix_match, suffix_match, contains_match, range_match } = matcher;
  if (matcher.string_match) return compileStringMatcher(matcher.string_match, `${path}.string_match`);
  if (matcher.safe_regex_match) return compileRegex(matcher.safe_regex_match, `${path}.safe_regex_match`);
  if (exact_match !== undefined) return (text) => text === exact_match;
  if (prefix_match !== undefined) return (text) => text.startsWith(prefix_match);
  if (suffix_match !== undefined) return (text) => text.endsWith(suffix_match);
  if (contains_match !== undefined) return (text) => text.includes(contains_match);
  if (range_match) {
    const { start = 0, end = 0 } = range_match;
    return (text) => /^\s*[+-]?\d+$/.test(text) && Number(text) >= start && Number(text) < end;
  }
  return undefined;
}

export function compileHeaderMatchers(matchers: readonly HeaderMatcher[] | undefined, path: string): HeaderTest[] {
  return (matchers ?? []).map((matcher, i) => compileHeaderMatcher(matcher, `${path}[${i}]`));
}

/** `undefined` stands for a parameter that is not there. */
export type QueryTest = (parameters: ReadonlyMap<string, string>) => boolean;

export function compileQueryMatcher(matcher: QueryParameterMatcher, path: string): QueryTest {
  const name = matcher.name ?? '';
  if (!name) throw new InvalidConfig(`${path}.name`, 'a parameter name is required');
  if (!matcher.string_match) return (parameters) => parameters.has(name) === (matcher.present_match ?? true);
  const test = compileStringMatcher(matcher.string_match, `${path}.string_match`);
  return (parameters) => {
    const value = parameters.get(name);
    return value !== undefined && test(value);
  };
}

/** Parameters of a `:path`; of several with one name the first counts. Values are percent-decoded, as upstream. */
export function queryParameters(path: string): Map<string, string> {
  const out = new Map<string, string>();
  const at = path.indexOf('?');
  if (at < 0) return out;
  const end = path.indexOf('#', at);
  for (const pair of path.slice(at + 1, end < 0 ? undefined : end).split('&')) {
    if (!pair) continue;
    const eq = pair.indexOf('=');
    const name = percentDecode(eq < 0 ? pair : pair.slice(0, eq));
    if (!out.has(name)) out.set(name, eq < 0 ? '' : percentDecode(pair.slice(eq + 1)));
  }
  return out;
}

function percentDecode(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
