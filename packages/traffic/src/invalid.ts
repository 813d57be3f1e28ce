import { NamedError } from '@flotilla/base';

/** A resource that cannot be used: `field` is the path inside the resource. Becomes the error detail of a NACK. */
export class InvalidConfig extends NamedError {
  readonly field: string;

  constructor(field: string, message: string, options: { cause?: unknown } = {}) {
    super('INVALID_CONFIG', field ? `${field}: ${message}` : message, options);
    this.field = field;
  }
}

/** Throws if one of `fields` is set: what this proxy does not do is refused, never ignored. */
export function refuse<T extends object>(path: string, config: T, fields: readonly (keyof T & string)[]): void {
  for (const field of fields) {
    const value = config[field];
    if (value === undefined || value === null || value === false || value === '') continue;
    if (Array.isArray(value) && value.length === 0) continue;
    throw new InvalidConfig(join(path, field), 'not supported by this proxy');
  }
}

export function join(path: string, field: string): string {
  return path ? `${path}.${field}` : field;
}
