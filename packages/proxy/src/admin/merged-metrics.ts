import { get } from 'node:http';
import type { StatsRegistry } from '../stats/registry.js';
import { renderPrometheus } from '../stats/render.js';
import { type AdminHandler, prometheus, text } from './http.js';

/** More than any sensible application has to say. */
const maxBytes = 16 * 1024 * 1024;

/** Port 15020: the proxy's metrics and the application's in one scrape, and the readiness of the pod's proxy. */
export function mergedMetrics(
  registry: StatsRegistry,
  app: { address: string; port: number; path: string } | undefined,
  ready: AdminHandler,
): AdminHandler {
  return async (request) => {
    if (request.path === '/healthz/ready') return ready(request);
    if (request.path !== '/stats/prometheus' && request.path !== '/metrics') return text('not found\n', 404);
    const own = renderPrometheus(registry);
    const theirs = app ? await scrape(app).catch(() => '') : '';
    return prometheus(own + theirs);
  };
}

function scrape({ address, port, path }: { address: string; port: number; path: string }): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get({ host: address, port, path, timeout: 2000, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        body += chunk;
        if (body.length > maxBytes) request.destroy();
      });
      response.once('end', () => resolve(response.statusCode === 200 ? body : ''));
      response.once('error', reject);
    });
    request.once('timeout', () => request.destroy());
    request.once('error', reject);
  });
}
