import { details } from '../bookinfo/details.js';
import { productpage } from '../bookinfo/productpage.js';
import { ratings } from '../bookinfo/ratings.js';
import { reviews } from '../bookinfo/reviews.js';
import { serve } from '../http/server.js';

// bookinfo.cjs SERVICE [VERSION] [PORT]
const [, , service, version = 'v1', port = '9080'] = process.argv;
const handlers = {
  productpage: () => productpage(process.env),
  details: () => details,
  ratings: () => ratings(),
  reviews: () => reviews(version, process.env),
};
const make = handlers[service as keyof typeof handlers];
if (!make) {
  console.error(`no Bookinfo service "${service ?? ''}"; choose one of: ${Object.keys(handlers).join(', ')}`);
  process.exit(2);
}
serve(Number(port), make(), { log: (line) => console.log(line) });
