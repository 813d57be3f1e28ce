import { NamedError } from '@flotilla/base';
import type * as meta from './gen/meta-v1.js';
import { aggregate, type FieldError } from './errors.js';

/** What a status is about: the plural resource name, as in `pods` or `deployments.apps`. */
export interface GroupResource {
  readonly group: string;
  readonly resource: string;
}

export interface GroupKind {
  readonly group: string;
  readonly kind: string;
}

/** A failure that the API expresses as a `Status` object. Thrown by clients, rendered by the API server. */
export class StatusError extends NamedError {
  readonly status: meta.Status;

  constructor(status: meta.Status, options: { cause?: unknown } = {}) {
    super(status.reason ?? 'Unknown', status.message ?? status.reason ?? 'unknown', options);
    this.status = status;
  }

  /** The reason is the error's `code` as well; HTTP's number is `httpStatus`. */
  get reason(): string {
    return this.status.reason ?? '';
  }

  /** The HTTP status code. */
  get httpStatus(): number {
    return this.status.code ?? 500;
  }
}

/** The reasons of upstream's `metav1.StatusReason` that Flotilla knows, with their HTTP codes. */
const codes = {
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  AlreadyExists: 409,
  Conflict: 409,
  Gone: 410,
  Invalid: 422,
  ServerTimeout: 500,
  Timeout: 504,
  TooManyRequests: 429,
  BadRequest: 400,
  MethodNotAllowed: 405,
  NotAcceptable: 406,
  RequestEntityTooLarge: 413,
  UnsupportedMediaType: 415,
  InternalError: 500,
  Expired: 410,
  ServiceUnavailable: 503,
} as const;

export type StatusReason = keyof typeof codes;

/** A failure with the HTTP code that belongs to its reason. */
export function failure(
  reason: StatusReason,
  message: string,
  details?: meta.StatusDetails,
  options?: { cause?: unknown },
): StatusError {
  const status: meta.Status = {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message,
    reason,
    ...(details ? { details } : {}),
    code: codes[reason],
  };
  return new StatusError(status, options);
}

/** `pods`, `deployments.apps`: upstream's text form of a resource or kind. */
function qualified(group: string, name: string): string {
  return group === '' ? name : `${name}.${group}`;
}

function detailsOf(resource: GroupResource, name: string): meta.StatusDetails {
  return {
    ...(name === '' ? {} : { name }),
    ...(resource.group === '' ? {} : { group: resource.group }),
    kind: resource.resource,
  };
}

const label = (r: GroupResource, name: string): string => `${qualified(r.group, r.resource)} "${name}"`;

/** 404 `pods "x" not found`. */
export function notFound(resource: GroupResource, name: string): StatusError {
  return failure('NotFound', `${label(resource, name)} not found`, detailsOf(resource, name));
}

/** 404 for a path that names nothing the server knows. */
export function unknownPath(): StatusError {
  return failure('NotFound', 'the server could not find the requested resource', {});
}

/** 409 `pods "x" already exists`. */
export function alreadyExists(resource: GroupResource, name: string): StatusError {
  return failure('AlreadyExists', `${label(resource, name)} already exists`, detailsOf(resource, name));
}

/** 409 for a generated name that stayed taken. */
export function generateNameConflict(resource: GroupResource, name: string): StatusError {
  return failure(
    'AlreadyExists',
    `${label(resource, name)} already exists, the server was not able to generate a unique name for the object`,
    { ...detailsOf(resource, name), retryAfterSeconds: 1 },
  );
}

/** Upstream's `OptimisticLockErrorMsg`. */
export const staleObject =
  'the object has been modified; please apply your changes to the latest version and try again';

/** 409 `Operation cannot be fulfilled on pods "x": …`; a stale object unless `why` says otherwise. */
export function conflict(resource: GroupResource, name: string, why: string = staleObject): StatusError {
  return failure(
    'Conflict',
    `Operation cannot be fulfilled on ${label(resource, name)}: ${why}`,
    detailsOf(resource, name),
  );
}

/** 422 `Deployment.apps "x" is invalid: spec.selector: Required value`, with one cause per error. */
export function invalid(kind: GroupKind, name: string, errors: readonly FieldError[]): StatusError {
  const head = `${qualified(kind.group, kind.kind)} "${name}" is invalid`;
  return failure('Invalid', errors.length === 0 ? head : `${head}: ${aggregate(errors)}`, {
    ...(name === '' ? {} : { name }),
    ...(kind.group === '' ? {} : { group: kind.group }),
    kind: kind.kind,
    ...(errors.length === 0
      ? {}
      : { causes: errors.map((e) => ({ reason: e.type, message: e.body, field: e.field })) }),
  });
}

/** 400. */
export function badRequest(message: string): StatusError {
  return failure('BadRequest', message);
}

/** 401. */
export function unauthorized(message = 'Unauthorized'): StatusError {
  return failure('Unauthorized', message);
}

/** 403 `pods "x" is forbidden: …`. */
export function forbidden(resource: GroupResource, name: string, why: string): StatusError {
  const subject =
    resource.resource === '' ? '' : name === '' ? qualified(resource.group, resource.resource) : label(resource, name);
  const message = subject === '' ? `forbidden: ${why}` : `${subject} is forbidden: ${why}`;
  return failure('Forbidden', message, detailsOf(resource, name));
}

/** 410: a resourceVersion or continue token that is too old. */
export function expired(message: string): StatusError {
  return failure('Expired', message);
}

/** 504. */
export function timeout(message: string, retryAfterSeconds = 0): StatusError {
  return failure('Timeout', `Timeout: ${message}`, retryAfterSeconds > 0 ? { retryAfterSeconds } : {});
}

/** 504, the retryable answer to a resourceVersion that the server has not reached yet. */
export function resourceVersionTooLarge(requested: number | string, current: number | string): StatusError {
  return failure('Timeout', `Timeout: Too large resource version: ${requested}, current: ${current}`, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds: 1,
  });
}

/** 500 with a retry hint: the server was too busy to decide. */
export function serverTimeout(resource: GroupResource, operation: string, retryAfterSeconds = 0): StatusError {
  return failure(
    'ServerTimeout',
    `The ${operation} operation against ${qualified(resource.group, resource.resource)} could not be completed at this time, please try again.`,
    { ...detailsOf(resource, operation), ...(retryAfterSeconds > 0 ? { retryAfterSeconds } : {}) },
  );
}

/** 405 `patch is not supported on resources of kind "componentstatuses"`. */
export function methodNotAllowed(resource: GroupResource, action: string): StatusError {
  return failure(
    'MethodNotAllowed',
    `${action} is not supported on resources of kind "${qualified(resource.group, resource.resource)}"`,
    detailsOf(resource, ''),
  );
}

/** 415. */
export function unsupportedMediaType(accepted: readonly string[]): StatusError {
  return failure(
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`,
  );
}

/** 406. */
export function notAcceptable(offered: readonly string[]): StatusError {
  return failure('NotAcceptable', `only the following media types are accepted: ${offered.join(', ')}`);
}

/** 413. */
export function tooLarge(message: string): StatusError {
  return failure('RequestEntityTooLarge', `Request entity too large: ${message}`);
}

/** 429, e.g. a PodDisruptionBudget that refuses an eviction. */
export function tooManyRequests(message: string, retryAfterSeconds = 0): StatusError {
  return failure('TooManyRequests', message, retryAfterSeconds > 0 ? { retryAfterSeconds } : {});
}

/** 503. */
export function serviceUnavailable(message: string): StatusError {
  return failure('ServiceUnavailable', message);
}

/** 500 `Internal error occurred: …`. */
export function internal(message: string, options?: { cause?: unknown }): StatusError {
  return failure('InternalError', `Internal error occurred: ${message}`, { causes: [{ message }] }, options);
}

/** Whether `error` is a status with this reason. */
export function isStatus(error: unknown, reason: StatusReason): error is StatusError {
  return error instanceof StatusError && error.status.reason === reason;
}
