import { quote } from '../../errors.js';

const maxLength = 1024;

/** Perl's look-around, back references and atomic groups, which RE2 has not. Escaped characters are skipped. */
const perlOnly = /\\[1-9]|\(\?(?:[=!>]|<[=!])/;

/** RE2's own spellings as JavaScript knows them; only whether it compiles matters. */
function toJavaScript(pattern: string): string {
  return pattern
    .replace(/\\Q([\s\S]*?)(?:\\E|$)/g, (_all, literal: string) => literal.replace(/[^\w\s]/g, '\\$&'))
    .replace(/\(\?P</g, '(?<')
    .replace(/\(\?[imsU]*(?:-[imsU]+)?:/g, '(?:')
    .replace(/\(\?[imsU]+(?:-[imsU]+)?\)/g, '')
    .replace(/\[\[:\^?\w+:\]\]/g, '[a-z]')
    .replace(/\[:\^?\w+:\]/g, 'a-z')
    .replace(/\\A|\\z/g, '');
}

/** V8's complaints in the words of Go's package. */
const words: [RegExp, string][] = [
  [/Unterminated group/, 'missing closing )'],
  [/Unmatched '\)'/, 'unexpected )'],
  [/Unterminated character class/, 'missing closing ]'],
  [/Nothing to repeat/, 'missing argument to repetition operator'],
  [/Range out of order|Invalid character class/, 'invalid character class range'],
  [/numbers out of order/, 'invalid repeat count'],
  [/\\ at end/, 'trailing backslash at end of expression'],
  [/capture group name/, 'invalid named capture'],
];

/** Why RE2 would not take the pattern, or undefined. RE2 itself is not consulted: this is its syntax, approximately. */
export function regexpError(pattern: string): string | undefined {
  const unescaped = pattern.replace(/\\[^1-9]/g, '');
  const perl = perlOnly.exec(unescaped);
  if (perl) return `error parsing regexp: invalid or unsupported Perl syntax: \`${perl[0]}\``;
  try {
    new RegExp(toJavaScript(pattern));
    return undefined;
  } catch (error) {
    const said = (error as SyntaxError).message;
    const [, why = 'invalid syntax'] = words.find(([match]) => match.test(said)) ?? [];
    return `error parsing regexp: ${why}: \`${pattern}\``;
  }
}

/** Istio's complaint about a regular expression in the field `where`. */
export function regexpComplaints(pattern: string, where: string): string[] {
  if (pattern === '') return [`${quote(where)}: regex string match should not be empty`];
  if (pattern.length > maxLength) return [`${quote(where)}: regex is too large, max length allowed is ${maxLength}`];
  const why = regexpError(pattern);
  if (why === undefined) return [];
  return [
    `${quote(where)}: ${why}; Istio uses RE2 style regex-based match (https://github.com/google/re2/wiki/Syntax)`,
  ];
}
