import { forbidden, internal, StatusError } from '@flotilla/api';
import { describeError, type Logger } from '@flotilla/base';
import { contentTypes, parseAccept } from './negotiate.js';
import { yamlBytes } from './representation/bytes.js';
import { jsonResponse, type Request, type Response } from './request.js';
import type { Target } from './route.js';
import { storeFailure } from './storage.js';

/** 403 in upstream's words. */
export function refusal(target: Target, reason: string): StatusError {
  if (target.kind === 'path') return forbidden({ group: '', resource: '' }, '', reason);
  const resource = target.subresource ? `${target.resource}/${target.subresource}` : target.resource;
  return forbidden({ group: target.group, resource }, target.name, reason);
}

/** The one place where failures become responses: every one is a Status, in JSON unless YAML was asked for alone. */
export async function errorResponse(error: unknown, request: Request, logger: Logger): Promise<Response> {
  const status = statusOf(error, logger);
  const code = status.status.code ?? 500;
  const seconds = status.status.details?.retryAfterSeconds;
  const headers = seconds ? { 'retry-after': String(seconds) } : undefined;
  if (parseAccept(request.accept)[0]?.type === contentTypes.yaml) {
    return {
      status: code,
      contentType: contentTypes.yaml,
      body: [await yamlBytes(status.status)],
      ...(headers ? { headers } : {}),
    };
  }
  return jsonResponse(code, status.status, headers);
}

function statusOf(error: unknown, logger: Logger): StatusError {
  if (error instanceof StatusError) return error;
  const known = storeFailure(error);
  if (known) return known;
  logger.error('a request failed', {
    error: describeError(error),
    stack: error instanceof Error ? error.stack : undefined,
  });
  return internal(describeError(error), { cause: error });
}
