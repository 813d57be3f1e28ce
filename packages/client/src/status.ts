import { type meta, StatusError } from '@flotilla/api';
import type { ApiResponse } from './transport.js';

/** Upstream's reasons for responses that carry no Status object (client-go `NewGenericServerResponse`). */
const reasons: Record<number, string> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  406: 'NotAcceptable',
  409: 'Conflict',
  410: 'Gone',
  413: 'RequestEntityTooLarge',
  415: 'UnsupportedMediaType',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

/** The failure that a response tells of: the Status object that it holds, or what its code and text amount to. */
export function statusErrorOf(response: ApiResponse): StatusError {
  const text = Buffer.from(response.body).toString();
  try {
    const body: unknown = JSON.parse(text);
    if (isStatus(body)) return new StatusError(body);
  } catch {
    // Not JSON: some proxy or an error page.
  }
  return new StatusError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    code: response.status,
    reason: reasons[response.status] ?? 'Unknown',
    message: text.trim().slice(0, 1000) || `the server answered with status ${response.status}`,
  });
}

export function isStatus(value: unknown): value is meta.Status {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'Status';
}
