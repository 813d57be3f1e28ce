import { json, type Reply, type Request } from '../http/server.js';

type Ratings = Record<string, number>;

const initial: Ratings = { Reviewer1: 5, Reviewer2: 4 };

/** `GET /ratings/{id}` and `POST /ratings/{id}` with a JSON object of stars by reviewer; `GET /health`. */
export function ratings(): (request: Request) => Promise<Reply> {
  const posted = new Map<number, Ratings>();
  return (request) => Promise.resolve(answer(request, posted));
}

function answer(request: Request, posted: Map<number, Ratings>): Reply {
  if (request.path === '/health') return json({ status: 'Ratings is healthy' });
  const word = /^\/ratings\/([^/]+)$/.exec(request.path)?.[1];
  if (word === undefined) return json({ error: 'not found' }, 404);
  const id = Number.parseInt(word, 10);
  if (Number.isNaN(id)) return json({ error: 'please provide numeric product ID' }, 400);
  if (request.method === 'POST') {
    const stars = parseRatings(request.body.toString());
    if (!stars) return json({ error: 'please provide valid ratings JSON' }, 400);
    posted.set(id, stars);
  } else if (request.method !== 'GET' && request.method !== 'HEAD') {
    return json({ error: 'method not allowed' }, 405);
  }
  return json({ id, ratings: posted.get(id) ?? initial });
}

function parseRatings(body: string): Ratings | undefined {
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    return Object.values(value).every((stars) => typeof stars === 'number') ? (value as Ratings) : undefined;
  } catch {
    return undefined;
  }
}
