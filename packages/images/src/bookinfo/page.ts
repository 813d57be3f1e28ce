export interface Book {
  id: number;
  title: string;
  descriptionHtml: string;
}

export interface DetailsView {
  status: number;
  details: Record<string, string | number>;
}

export interface ReviewsView {
  status: number;
  reviews: { reviewer: string; text: string; rating?: { stars?: number; color?: string; error?: string } }[];
  podname?: string;
  error?: string;
}

const escape = (value: unknown): string => String(value).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

const style = `
body{font:16px/1.5 system-ui,sans-serif;margin:0;color:#1c2733;background:#f6f7f9}
header{background:#1c2733;color:#fff;padding:.8rem 2rem;display:flex;justify-content:space-between;align-items:center}
header a,header button{color:#fff}main{max-width:64rem;margin:2rem auto;padding:0 1rem;display:grid;gap:2rem;grid-template-columns:1fr 1fr}
section{background:#fff;border-radius:.6rem;padding:1.2rem 1.6rem;box-shadow:0 1px 3px #0002}section.wide{grid-column:1/-1}
table{border-collapse:collapse}td,th{padding:.2rem .8rem .2rem 0;text-align:left}blockquote{margin:0 0 1.2rem;border-left:4px solid #c9d2dc;padding-left:1rem}
.error{color:#a11}.text-black-500{color:#000}.text-red-500{color:#d11}input{padding:.3rem}
`;

function shell(title: string, user: string | undefined, body: string): string {
  const account = user
    ? `<span>${escape(user)} (<a href="/logout">sign out</a>)</span>`
    : `<form method="post" action="/login"><input name="username" placeholder="User name" aria-label="User name">
       <input name="passwd" type="password" placeholder="Password" aria-label="Password"> <button style="color:#000">Sign in</button></form>`;
  return `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>${escape(title)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>${style}</style></head>
<body><header><a href="/productpage"><strong>BookInfo Sample</strong></a>${account}</header><main>${body}</main></body></html>
`;
}

function stars(count: number, color: string): string {
  const star = '<span class="glyphicon glyphicon-star" aria-hidden="true">★</span>';
  const empty = '<span class="glyphicon glyphicon-star-empty" aria-hidden="true">☆</span>';
  const shown = Math.max(0, Math.min(5, count));
  return `<font color="${escape(color)}" class="text-${escape(color)}-500" title="${shown} of 5 stars">${star.repeat(shown)}${empty.repeat(5 - shown)}</font>`;
}

function detailsSection(view: DetailsView): string {
  if (view.status !== 200) {
    return `<section><h4>Error fetching product details!</h4><p class="error">${escape(view.details.error)}</p></section>`;
  }
  const rows = [
    ['Type', 'type'],
    ['Pages', 'pages'],
    ['Publisher', 'publisher'],
    ['Language', 'language'],
    ['ISBN-10', 'ISBN-10'],
    ['ISBN-13', 'ISBN-13'],
  ].map(([title, key]) => `<tr><th>${title}</th><td>${escape(view.details[key ?? ''] ?? '')}</td></tr>`);
  return `<section><h4>Book Details</h4><table>${rows.join('')}</table></section>`;
}

function rating(view: ReviewsView['reviews'][number]['rating']): string {
  if (!view) return '';
  if (view.error !== undefined) return `<p class="error"><i>${escape(view.error)}</i></p>`;
  return stars(view.stars ?? 0, view.color ?? 'black');
}

function reviewsSection(view: ReviewsView): string {
  if (view.status !== 200) {
    return `<section><h4>Error fetching product reviews!</h4><p class="error">${escape(view.error)}</p></section>`;
  }
  const quotes = view.reviews.map(
    (review) =>
      `<blockquote><p>${escape(review.text)}</p><small>${escape(review.reviewer)}</small><br>${rating(review.rating)}</blockquote>`,
  );
  const served = view.podname ? `<p><small>Reviews served by: <u>${escape(view.podname)}</u></small></p>` : '';
  return `<section><h4>Book Reviews</h4>${quotes.join('')}${served}</section>`;
}

export function productPage(book: Book, user: string | undefined, details: DetailsView, reviews: ReviewsView): string {
  const intro = `<section class="wide"><h3>${escape(book.title)}</h3><p>${book.descriptionHtml}</p></section>`;
  return shell('Simple Bookstore App', user, intro + detailsSection(details) + reviewsSection(reviews));
}

export function indexPage(): string {
  return shell(
    'Simple Bookstore App',
    undefined,
    `<section class="wide"><h3>A bookstore of four services</h3>
     <p><a href="/productpage?u=normal">As a normal user</a> · <a href="/productpage?u=test">As a test user</a></p></section>`,
  );
}
