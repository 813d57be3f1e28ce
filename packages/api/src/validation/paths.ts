import type { FieldPath } from '../errors.js';
import { type FieldErrors, invalid } from './common.js';

export function noBacksteps(path: FieldPath, text: string): FieldErrors {
  return text.split('/').includes('..') ? [invalid(path, text, "must not contain '..'")] : [];
}

/** A path that stays below where it starts. */
export function localPath(path: FieldPath, text: string): FieldErrors {
  const errors = text.startsWith('/') ? [invalid(path, text, 'must be a relative path')] : [];
  return [...errors, ...noBacksteps(path, text)];
}

/** The same; names that begin with two dots are the volume's own. */
export function localNonReservedPath(path: FieldPath, text: string): FieldErrors {
  const errors = localPath(path, text);
  if (text.startsWith('..') && !text.startsWith('../')) errors.push(invalid(path, text, "must not start with '..'"));
  return errors;
}

export function fileMode(path: FieldPath, mode: number | undefined): FieldErrors {
  if (mode === undefined || (mode >= 0 && mode <= 0o777)) return [];
  return [invalid(path, mode, 'must be a number between 0 and 0777 (octal), both inclusive')];
}
