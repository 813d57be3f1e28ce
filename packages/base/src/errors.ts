/**
 * The base of every error that Flotilla names. `name` is the class name, `code` a stable word for programs, `hint` the
 * next step for a person where there is one. "No" is not an error: a refused decision is returned as a value.
 */
export class NamedError extends Error {
  readonly code: string;
  readonly hint: string | undefined;

  constructor(code: string, message: string, options: { cause?: unknown; hint?: string } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.hint = options.hint;
  }
}

/** The message of anything thrown, with its causes: `a: b: c`. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const head = error.message || error.name;
  return error.cause === undefined ? head : `${head}: ${describeError(error.cause)}`;
}

/** The `code` of a Node or named error, or undefined. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
