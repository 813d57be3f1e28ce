import { NamedError } from '@flotilla/base';

/** The log cannot be reached or does not take writes. */
export class StoreUnavailable extends NamedError {
  /** `not-applied`: nothing was written. `unknown`: the write may still appear; read before trying again. */
  readonly outcome: 'not-applied' | 'unknown';

  constructor(outcome: 'not-applied' | 'unknown', why: string, cause?: unknown) {
    super('StoreUnavailable', `the store is unavailable (${why}; outcome ${outcome})`, { cause });
    this.outcome = outcome;
  }
}

/** Another process writes the log, or has taken it over. Nothing was written. */
export class NotWriter extends NamedError {
  /** Identity of the writer, if known. */
  readonly writer: string | undefined;

  constructor(writer: string | undefined) {
    super('NotWriter', `this process does not write the store; ${writer ?? 'nobody'} does`);
    this.writer = writer;
  }
}

export class ObjectTooLarge extends NamedError {
  readonly size: number;
  readonly limit: number;

  /** Sizes in encoded bytes. */
  constructor(key: string, size: number, limit: number) {
    super('ObjectTooLarge', `${key}: ${size} bytes is more than the limit of ${limit} bytes`);
    this.size = size;
    this.limit = limit;
  }
}

export class InvalidKey extends NamedError {
  constructor(key: string, why: string) {
    super('InvalidKey', `store key ${JSON.stringify(key)}: ${why}`);
  }
}

export class StoreClosed extends NamedError {
  constructor() {
    super('StoreClosed', 'the store is closed');
  }
}

/** The log is not what this process has read and acknowledged before: only a fresh start can go on from here. */
export class LogDiverged extends NamedError {
  constructor(why: string) {
    super('LogDiverged', `the store's log has changed under us: ${why}`);
  }
}
