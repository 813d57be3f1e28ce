import { NamedError } from '@flotilla/base';

/** Something the user can act on: printed as one sentence and a next step, without a stack. */
export class UserError extends NamedError {
  constructor(message: string, hint?: string, cause?: unknown) {
    super('user', message, { hint, cause });
  }
}
