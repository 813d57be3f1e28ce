import { hostname } from 'node:os';
import { get } from '../http/fetch.js';
import { json, type Reply, type Request } from '../http/server.js';
import { propagate } from './headers.js';
import { upstreams } from './services.js';

interface Rating {
  stars?: number;
  color?: string;
  error?: string;
}

/** Our own two opinions of the play. */
const opinions = [
  {
    reviewer: 'Reviewer1',
    text: 'Two pairs of twins, one afternoon, and not a dull minute: the funniest mix-up on any stage.',
  },
  {
    reviewer: 'Reviewer2',
    text: 'Light, quick and kind. It lacks the depth of the later plays, and is all the merrier for it.',
  },
];

/** Like the original, the black stars' version waits 10 s for ratings and the others 2.5 s. */
const timeoutFor = (color: string): number => (color === 'black' ? 10_000 : 2_500);

async function fetchRatings(id: string, request: Request, color: string, env: NodeJS.ProcessEnv): Promise<Rating[]> {
  const failed = { error: 'Ratings service is currently unavailable' };
  try {
    const reply = await get(`${upstreams(env).ratings}/ratings/${id}`, propagate(request.headers), timeoutFor(color));
    if (reply.status !== 200) return opinions.map(() => failed);
    const { ratings } = JSON.parse(reply.body.toString()) as { ratings: Record<string, number> };
    return opinions.map(({ reviewer }) => ({ stars: ratings[reviewer] ?? -1, color }));
  } catch {
    return opinions.map(() => failed);
  }
}

/**
 * `GET /reviews/{id}`. v1 shows no stars, v2 black ones, v3 red ones: ENABLE_RATINGS and STAR_COLOR, as the original
 * images set them.
 */
export function reviews(version: string, env: NodeJS.ProcessEnv): (request: Request) => Promise<Reply> {
  const enabled = env.ENABLE_RATINGS ? env.ENABLE_RATINGS === 'true' : version !== 'v1';
  const color = env.STAR_COLOR ?? (version === 'v3' ? 'red' : 'black');
  return async (request) => {
    if (request.path === '/health') return json({ status: 'Reviews is healthy' });
    const id = /^\/reviews\/([^/]+)$/.exec(request.path)?.[1];
    if (id === undefined) return json({ error: 'not found' }, 404);
    const ratings = enabled ? await fetchRatings(id, request, color, env) : [];
    return json({
      id,
      podname: env.HOSTNAME ?? hostname(),
      clustername: env.CLUSTER_NAME ?? 'null',
      reviews: opinions.map((opinion, i) => (enabled ? { ...opinion, rating: ratings[i] } : opinion)),
    });
  };
}
