import { NamedError } from '@flotilla/base';

/** Bytes that are not the protobuf message they should be, or a value that cannot be written as one. */
export class WireError extends NamedError {
  constructor(message: string, options: { cause?: unknown } = {}) {
    super('XDS_WIRE', message, options);
  }
}
