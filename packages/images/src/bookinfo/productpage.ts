import { get } from '../http/fetch.js';
import { html, json, type Reply, type Request, text } from '../http/server.js';
import { propagate } from './headers.js';
import { type Book, type DetailsView, indexPage, productPage, type ReviewsView } from './page.js';
import { upstreams } from './services.js';
import { loginCookie, logoutCookie, sessionUser } from './session.js';

const books: Book[] = [
  {
    id: 0,
    title: 'The Comedy of Errors',
    descriptionHtml:
      '<a href="https://en.wikipedia.org/wiki/The_Comedy_of_Errors">The Comedy of Errors</a>: two pairs of twins, parted at birth, meet in one town on one day, and nobody knows who is who. One of Shakespeare’s earliest plays and his shortest.',
  },
];

/** As in the original: 3 s for each call, and a second try for reviews only. */
const callTimeoutMs = 3_000;
const reviewsAttempts = 2;

interface Called {
  status: number;
  body: Record<string, unknown>;
}

async function call(url: string, headers: Record<string, string>, attempts: number, what: string): Promise<Called> {
  let status = 500;
  for (let attempt = 0; attempt < attempts; attempt++) {
    try {
      const reply = await get(url, headers, callTimeoutMs);
      if (reply.status === 200) return { status: 200, body: JSON.parse(reply.body.toString()) as Called['body'] };
      status = reply.status;
    } catch {
      status = 500;
    }
  }
  return { status, body: { error: `Sorry, product ${what} are currently unavailable for this book.` } };
}

function outgoing(request: Request): Record<string, string> {
  const headers = propagate(request.headers);
  const user = sessionUser(request.headers.cookie);
  return user === undefined ? headers : { ...headers, 'end-user': user };
}

/** Product page, login and logout, the product API, health and metrics. */
export function productpage(env: NodeJS.ProcessEnv): (request: Request) => Promise<Reply> {
  const at = upstreams(env);
  const served = new Map<string, number>();
  const details = (id: number, r: Request): Promise<Called> =>
    call(`${at.details}/details/${id}`, outgoing(r), 1, 'details');
  const reviews = (id: number, r: Request): Promise<Called> =>
    call(`${at.reviews}/reviews/${id}`, outgoing(r), reviewsAttempts, 'reviews');
  const ratings = (id: number, r: Request): Promise<Called> =>
    call(`${at.ratings}/ratings/${id}`, outgoing(r), 1, 'ratings');

  const page = async (request: Request): Promise<Reply> => {
    const book = books[0]!;
    // One after the other, as the original does: its tasks count on the sum of the delays.
    const found = await details(book.id, request);
    const opinions = await reviews(book.id, request);
    return html(
      productPage(
        book,
        sessionUser(request.headers.cookie),
        { status: found.status, details: found.body as DetailsView['details'] },
        { ...opinions.body, status: opinions.status } as ReviewsView,
      ),
    );
  };

  const api = async (request: Request): Promise<Reply | undefined> => {
    const match = /^\/api\/v1\/products(?:\/(\d+)(?:\/(reviews|ratings))?)?\/?$/.exec(request.path);
    if (!match) return undefined;
    if (match[1] === undefined) return json(books);
    const id = Number(match[1]);
    const lookUp = match[2] === 'reviews' ? reviews : match[2] === 'ratings' ? ratings : details;
    const reply = await lookUp(id, request);
    return json(reply.body, reply.status);
  };

  const route = async (request: Request): Promise<Reply> => {
    switch (request.path) {
      case '/':
      case '/index.html':
        return html(indexPage());
      case '/health':
        return text('Product page is healthy');
      case '/metrics':
        return text(renderMetrics(served));
      case '/productpage':
        return page(request);
      case '/login': {
        const user = new URLSearchParams(request.body.toString()).get('username') ?? '';
        const back = request.headers.referer ?? '/productpage';
        return { status: 302, headers: { location: back, 'set-cookie': loginCookie(user) } };
      }
      case '/logout':
        return {
          status: 302,
          headers: { location: request.headers.referer ?? '/productpage', 'set-cookie': logoutCookie },
        };
      default:
        return (await api(request)) ?? text('not found\n', 404);
    }
  };

  return async (request) => {
    const reply = await route(request);
    const key = `${request.method} ${reply.status ?? 200}`;
    served.set(key, (served.get(key) ?? 0) + 1);
    return reply;
  };
}

function renderMetrics(served: Map<string, number>): string {
  const lines = [...served].map(([key, count]) => {
    const [method, code] = key.split(' ');
    return `bookinfo_requests_total{method="${method}",code="${code}"} ${count}`;
  });
  return `# HELP bookinfo_requests_total Requests answered.\n# TYPE bookinfo_requests_total counter\n${lines.join('\n')}\n`;
}
