import { json, type Reply, type Request } from '../http/server.js';

/** `GET /details/{id}`: facts of a book; the id must be a number. `GET /health`. */
export function details(request: Request): Promise<Reply> {
  if (request.path === '/health') return Promise.resolve(json({ status: 'Details is healthy' }));
  const id = /^\/details\/([^/]+)$/.exec(request.path)?.[1];
  if (id === undefined) return Promise.resolve(json({ error: 'not found' }, 404));
  if (!/^\d+$/.test(id)) return Promise.resolve(json({ error: 'please provide numeric product id' }, 400));
  return Promise.resolve(
    json({
      id: Number(id),
      author: 'William Shakespeare',
      year: 1595,
      type: 'paperback',
      pages: 200,
      publisher: 'PublisherA',
      language: 'English',
      'ISBN-10': '1234567890',
      'ISBN-13': '123-1234567890',
    }),
  );
}
