import { type Response, textResponse } from '../request.js';

/** Something that must be well for the server to be. */
export interface HealthCheck {
  name: string;
  /** Undefined when all is well, else why not. */
  failure(): string | undefined;
}

/** `/healthz`, `/livez`, `/readyz`, their `?verbose` form, and single checks below them. */
export function healthResponse(
  path: string,
  query: URLSearchParams,
  checks: readonly HealthCheck[],
): Response | undefined {
  const [, endpoint = '', single] = path.split('/');
  const excluded = new Set(query.getAll('exclude'));
  const chosen = single ? checks.filter((c) => c.name === single) : checks.filter((c) => !excluded.has(c.name));
  if (single && chosen.length === 0) return undefined;
  const results = chosen.map((check) => ({ name: check.name, failure: check.failure() }));
  const failed = results.some((r) => r.failure !== undefined);
  if (!failed && (single || !query.has('verbose'))) return textResponse(200, 'ok');
  const lines = results.map((r) => (r.failure === undefined ? `[+]${r.name} ok` : `[-]${r.name} failed: ${r.failure}`));
  lines.push(`${endpoint} check ${failed ? 'failed' : 'passed'}`);
  return textResponse(failed ? 500 : 200, `${lines.join('\n')}\n`);
}
