import { NamedError } from '@flotilla/base';
import type { RegexMatchAndSubstitute, RegexMatcher } from '@flotilla/xds';
import type { RE2JS } from 're2js';
import { InvalidConfig } from './invalid.js';

/**
 * Regular expressions with RE2's syntax and linear time, as Envoy's `safe_regex`. The engine weighs some 50 ms and 4 MB, so
 * that it is loaded only for a configuration that uses one: compiling such a one throws RegexNeeded, and is to be done
 * again after `await loadRegex()`.
 */
let engine: typeof RE2JS | undefined;

export class RegexNeeded extends NamedError {
  constructor() {
    super('REGEX_NEEDED', 'the regular expression engine is not loaded');
  }
}

export async function loadRegex(): Promise<void> {
  engine ??= (await import('re2js')).RE2JS;
}

function compile(matcher: RegexMatcher, path: string): RE2JS {
  if (!engine) throw new RegexNeeded();
  try {
    return engine.compile(matcher.regex ?? '');
  } catch (error) {
    throw new InvalidConfig(path, `invalid regular expression '${matcher.regex ?? ''}'`, { cause: error });
  }
}

/** Tests that the whole text matches, as Envoy does. */
export function compileRegex(matcher: RegexMatcher, path: string): (text: string) => boolean {
  const pattern = compile(matcher, path);
  return (text) => pattern.testExact(text);
}

/** Replaces every match; `\0` to `\9` stand for groups (RE2's rewrite syntax). */
export function compileSubstitution(rewrite: RegexMatchAndSubstitute, path: string): (text: string) => string {
  const pattern = compile(rewrite.pattern ?? {}, `${path}.pattern`);
  const template = rewrite.substitution ?? '';
  for (const [, digit] of template.matchAll(/\\(\d)/g)) {
    if (Number(digit) > pattern.groupCount()) throw new InvalidConfig(`${path}.substitution`, `no group ${digit}`);
  }
  const expand = (groups: readonly (string | undefined)[]): string =>
    template.replace(/\\([0-9\\])/g, (_, escaped: string) =>
      escaped === '\\' ? '\\' : (groups[Number(escaped)] ?? ''),
    );
  return (text) => pattern.matcher(text).replaceAll((...groups: string[]) => expand(groups));
}
