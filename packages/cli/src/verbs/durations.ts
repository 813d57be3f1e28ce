import { parseDuration } from '@flotilla/api';
import { UserError } from '../errors.js';

/** Milliseconds of a flag such as `30s`; undefined where it is absent or zero: no limit. */
export function timeoutOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = parseDuration(text);
  if (ms === undefined) throw new UserError(`"${text}" is not a duration`, 'for example: 30s or 2m');
  return ms === 0 ? undefined : ms;
}
