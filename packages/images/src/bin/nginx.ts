import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { extname, join, normalize } from 'node:path';
import { html, type Reply, type Request, serve } from '../http/server.js';

/** A stand-in for nginx as people use it in examples: static files, or the welcome page, on port 80. */
const root = process.env.NGINX_ROOT ?? '/usr/share/nginx/html';
const port = Number(process.env.NGINX_PORT ?? 80);
const types: Record<string, string> = {
  '.html': 'text/html',
  '.css': 'text/css',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.txt': 'text/plain',
};

const welcome = html(`<!DOCTYPE html>
<html><head><title>Welcome to nginx!</title></head>
<body><h1>Welcome to nginx!</h1><p>This is Flotilla's built-in stand-in: mount files at ${root} to serve them.</p></body></html>
`);

async function file(path: string): Promise<{ path: string; size: number } | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory()) return file(join(path, 'index.html'));
  return found?.isFile() ? { path, size: found.size } : undefined;
}

async function respond(request: Request): Promise<Reply | { stream: string; size: number }> {
  if (request.method !== 'GET' && request.method !== 'HEAD') return html('<h1>405 Not Allowed</h1>', 405);
  const safe = normalize(decodeURIComponent(request.path));
  const found = safe.startsWith('/') ? await file(join(root, safe)) : undefined;
  if (found) return { stream: found.path, size: found.size };
  return safe === '/' || safe === '/index.html' ? welcome : html('<h1>404 Not Found</h1>', 404);
}

serve(port, async (request, response) => {
  const reply = await respond(request);
  if (!('stream' in reply)) return { ...reply, headers: { server: 'nginx', ...reply.headers } };
  const type = types[extname(reply.stream)] ?? 'application/octet-stream';
  response.writeHead(200, { server: 'nginx', 'content-type': type, 'content-length': String(reply.size) });
  if (request.method === 'HEAD') response.end();
  else
    createReadStream(reply.stream)
      .on('error', () => response.destroy())
      .pipe(response);
  return undefined;
});
