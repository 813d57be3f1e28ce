import test from 'ava';
import { seededRandom } from '@flotilla/base';
import { duration, pack, type Route as RouteConfig, type RouteMatch } from '@flotilla/xds';
import { RequestHeaders } from './headers.js';
import { InvalidConfig } from './invalid.js';
import { loadRegex } from './regex.js';
import { compileRoutes, type Routes } from './routes.js';
import { newStreamInfo } from './stream-info.js';

const random = seededRandom(1);
const request = (path = '/', headers: Record<string, string> = {}, authority = 'h', method = 'GET'): RequestHeaders =>
  new RequestHeaders({ method, path, authority }, Object.entries(headers).flat());

function compile(...routes: RouteConfig[]): Routes {
  return compileRoutes({ name: 'r', virtual_hosts: [{ name: 'v', domains: ['*'], routes }] });
}

function matches(match: RouteMatch, ...requests: RequestHeaders[]): boolean[] {
  const routes = compile({ match, route: { cluster: 'c' } });
  return requests.map((r) => routes.find(r, random) !== undefined);
}

const paths = (...list: string[]): RequestHeaders[] => list.map((path) => request(path));

test('paths: prefix, exact, by elements, without case', (t) => {
  t.deepEqual(matches({ prefix: '/a' }, ...paths('/a', '/ab', '/a?q', '/b')), [true, true, true, false]);
  t.deepEqual(matches({ path: '/a' }, ...paths('/a', '/a?q', '/a/', '/A')), [true, true, false, false]);
  t.deepEqual(matches({ path_separated_prefix: '/a' }, ...paths('/a', '/a/b', '/ab', '/a?q')), [
    true,
    true,
    false,
    true,
  ]);
  t.deepEqual(matches({ prefix: '/A', case_sensitive: false }, ...paths('/a/x', '/B')), [true, false]);
});

test('paths: a regular expression matches as a whole', async (t) => {
  t.throws(() => matches({ safe_regex: { regex: '/a.*' } }), { code: 'REGEX_NEEDED' });
  await loadRegex();
  t.deepEqual(matches({ safe_regex: { regex: '/a[0-9]+' } }, ...paths('/a12', '/a', '/a1/b', '/a1?x')), [
    true,
    false,
    false,
    true,
  ]);
  t.throws(() => matches({ safe_regex: { regex: '(' } }), {
    instanceOf: InvalidConfig,
    message: /virtual_hosts\[0\]\.routes\[0\]\.match\.safe_regex/,
  });
});

test('headers: values, presence, ranges, inversion', (t) => {
  const by = (header: object, ...values: (string | undefined)[]): boolean[] =>
    matches(
      { prefix: '/', headers: [{ name: 'X-H', ...header }] },
      ...values.map((v) => request('/', v === undefined ? {} : { 'x-h': v })),
    );
  t.deepEqual(by({ string_match: { exact: 'a' } }, 'a', 'b', undefined), [true, false, false]);
  t.deepEqual(by({ string_match: { prefix: 'A', ignore_case: true } }, 'ab', 'b'), [true, false]);
  t.deepEqual(by({ string_match: { suffix: 'z' } }, 'az', 'za'), [true, false]);
  t.deepEqual(by({ string_match: { contains: 'm' } }, 'ama', 'a'), [true, false]);
  t.deepEqual(by({ present_match: true }, 'a', '', undefined), [true, true, false]);
  t.deepEqual(by({ present_match: true, invert_match: true }, 'a', undefined), [false, true]);
  t.deepEqual(by({ range_match: { start: 10, end: 20 } }, '10', '19', '20', 'x', '-3'), [
    true,
    true,
    false,
    false,
    false,
  ]);
  t.deepEqual(by({ string_match: { exact: 'a' }, invert_match: true }, 'a', 'b', undefined), [false, true, false]);
  const orEmpty = { string_match: { exact: 'a' }, invert_match: true, treat_missing_header_as_empty: true };
  t.deepEqual(by(orEmpty, 'a', 'b', undefined), [false, true, true]);
});

test('query parameters and gRPC', (t) => {
  const match = {
    prefix: '/',
    query_parameters: [
      { name: 'q', string_match: { exact: 'a b' } },
      { name: 'p', present_match: true },
    ],
  };
  t.deepEqual(matches(match, ...paths('/?q=a%20b&p', '/?q=x&p', '/?q=a%20b')), [true, false, false]);
  const grpc = request('/', { 'content-type': 'application/grpc+proto' });
  t.deepEqual(matches({ prefix: '/', grpc: {} }, grpc, request()), [true, false]);
});

test('runtime_fraction takes its share', (t) => {
  const match = { prefix: '/', runtime_fraction: { default_value: { numerator: 25 } } };
  const hits = matches(match, ...Array.from({ length: 2000 }, () => request())).filter(Boolean).length;
  t.true(hits > 400 && hits < 600, `${hits}`);
});

test('weights: deterministic by the random port, each in its share', (t) => {
  const weighted_clusters = {
    clusters: [
      { name: 'a', weight: 1 },
      { name: 'b', weight: 3 },
      { name: 'never', weight: 0 },
    ],
  };
  const routes = compile({ match: { prefix: '/' }, route: { weighted_clusters } });
  const pick = (next: number): string => {
    const action = routes.find(request(), { next: () => next })!.action;
    return action.kind === 'forward' ? (action.clusters.choose(request(), { next: () => next })?.cluster ?? '') : '';
  };
  t.deepEqual([0, 0.24, 0.25, 0.999].map(pick), ['a', 'a', 'b', 'b']);
  t.deepEqual([...routes.clusters], ['a', 'b', 'never']);
});

test('a cluster named by a header, and none without it', (t) => {
  const { action } = compile({ match: { prefix: '/' }, route: { cluster_header: 'X-To' } }).find(request(), random)!;
  if (action.kind !== 'forward') return t.fail();
  t.is(action.clusters.choose(request('/', { 'x-to': 'c' }), random)?.cluster, 'c');
  t.is(action.clusters.choose(request(), random), undefined);
});

test('redirects: every part', (t) => {
  const location = (redirect: object, from: RequestHeaders, match: RouteMatch = { prefix: '/' }): string => {
    const { action } = compile({ match, redirect }).find(from, random)!;
    return action.kind === 'redirect' ? action.location(from) : '';
  };
  const from = request('/a/b?q=1', {}, 'h:80');
  t.is(location({ https_redirect: true }, from), 'https://h/a/b?q=1');
  t.is(location({ https_redirect: true }, request('/a', {}, 'h:8080')), 'https://h:8080/a');
  t.is(location({ host_redirect: 'o', path_redirect: '/n' }, from), 'http://o/n?q=1');
  t.is(location({ path_redirect: '/n?own=1' }, from), 'http://h:80/n?own=1');
  t.is(location({ path_redirect: '/n', strip_query: true }, from), 'http://h:80/n');
  t.is(location({ port_redirect: 8443, scheme_redirect: 'https' }, from), 'https://h:8443/a/b?q=1');
  t.is(location({ prefix_rewrite: '/z' }, from, { prefix: '/a' }), 'http://h:80/z/b?q=1');
  const status = (response_code: 'TEMPORARY_REDIRECT' | undefined): number => {
    const { action } = compile({ match: { prefix: '/' }, redirect: response_code ? { response_code } : {} }).find(
      from,
      random,
    )!;
    return action.kind === 'redirect' ? action.status : 0;
  };
  t.deepEqual([status(undefined), status('TEMPORARY_REDIRECT')], [301, 307]);
});

test('rewrites: prefix, whole path, host, regular expression with groups', async (t) => {
  await loadRegex();
  const rewritten = (route: object, match: RouteMatch, from: RequestHeaders): [string, string] => {
    const { action } = compile({ match, route: { cluster: 'c', ...route } }).find(from, random)!;
    if (action.kind === 'forward') action.rewrite(from);
    return [from.path, from.authority];
  };
  t.deepEqual(rewritten({ prefix_rewrite: '/' }, { prefix: '/api/' }, request('/api/x?q')), ['/x?q', 'h']);
  t.deepEqual(rewritten({ prefix_rewrite: '/new' }, { path: '/old' }, request('/old?q')), ['/new?q', 'h']);
  t.deepEqual(rewritten({ host_rewrite_literal: 'o' }, { prefix: '/' }, request()), ['/', 'o']);
  const regex = { regex_rewrite: { pattern: { regex: '^/([^/]+)/(.*)$' }, substitution: '/\\2/$x/\\1' } };
  t.deepEqual(rewritten(regex, { prefix: '/' }, request('/a/b?q')), ['/b/$x/a?q', 'h']);
  const kept = request('/api/x', {}, 'outer');
  rewritten(
    { prefix_rewrite: '/', host_rewrite_literal: 'o', append_x_forwarded_host: true },
    { prefix: '/api/' },
    kept,
  );
  t.deepEqual([kept.get('x-envoy-original-path'), kept.get('x-forwarded-host')], ['/api/x', 'outer']);
});

test('header changes run from route to configuration, removals before additions', (t) => {
  const set = (value: string) => [
    { header: { key: 'x', value }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' as const },
  ];
  const routes = compileRoutes({
    name: 'r',
    request_headers_to_add: set('global'),
    virtual_hosts: [
      {
        name: 'v',
        domains: ['*'],
        request_headers_to_add: set('host'),
        routes: [
          {
            match: { prefix: '/' },
            route: { cluster: 'c' },
            request_headers_to_remove: ['gone'],
            request_headers_to_add: [
              ...set('route'),
              { header: { key: 'path', value: '%REQ(:PATH)% 100%%' } },
              { header: { key: 'empty', value: '%REQ(NONE)%' } },
            ],
          },
        ],
      },
    ],
  });
  const from = request('/p', { gone: '1' });
  const info = { ...newStreamInfo(0), request: from };
  routes.find(from, random)?.editRequest?.(from, info);
  t.deepEqual(
    [from.get('x'), from.get('gone'), from.get('path'), from.has('empty')],
    ['global', undefined, '/p 100%', false],
  );
});

test('per-filter configuration: the route hides the virtual host', (t) => {
  const fault = (http_status: number) => ({
    f: pack('envoy.extensions.filters.http.fault.v3.HTTPFault', {
      abort: { http_status, percentage: { numerator: 1 } },
    }),
  });
  const routes = compileRoutes({
    virtual_hosts: [
      {
        domains: ['*'],
        typed_per_filter_config: fault(500),
        routes: [
          { match: { path: '/own' }, route: { cluster: 'c' }, typed_per_filter_config: fault(400) },
          { match: { prefix: '/' }, route: { cluster: 'c' } },
        ],
      },
    ],
  });
  t.is(routes.find(request('/own'), random)?.overrides.fault?.abort?.status, 400);
  t.is(routes.find(request('/'), random)?.overrides.fault?.abort?.status, 500);
});

test('timeouts: 15 s unless said otherwise, 0 is none', (t) => {
  const timeout = (route: object): number => {
    const { action } = compile({ match: { prefix: '/' }, route: { cluster: 'c', ...route } }).find(request(), random)!;
    return action.kind === 'forward' ? action.timeout : -1;
  };
  t.deepEqual([timeout({}), timeout({ timeout: {} }), timeout({ timeout: duration(1500) })], [15_000, 0, 1500]);
});

test('what cannot be honoured is refused by its path', (t) => {
  const refused = (route: RouteConfig): string => t.throws(() => compile(route), { instanceOf: InvalidConfig }).message;
  const at = 'virtual_hosts[0].routes[0]';
  t.is(refused({ match: { prefix: '/' } }), `${at}: an action is required`);
  t.is(refused({ match: {}, route: { cluster: 'c' } }), `${at}.match: a path specifier is required`);
  t.true(
    refused({ match: { prefix: '/' }, route: { cluster: 'c', hedge_policy: {} } }).startsWith(
      `${at}.route.hedge_policy: not supported`,
    ),
  );
  t.true(
    refused({ match: { prefix: '/' }, route: { weighted_clusters: {} } }).startsWith(
      `${at}.route.weighted_clusters: the sum`,
    ),
  );
  const unknown = { x: { type_url: 'type.googleapis.com/some.Filter', value: new Uint8Array() } };
  t.true(
    refused({ match: { prefix: '/' }, route: { cluster: 'c' }, typed_per_filter_config: unknown }).includes(
      'some.Filter',
    ),
  );
});

test('TLS can be required of a virtual host', (t) => {
  const routes = compileRoutes({ virtual_hosts: [{ domains: ['*'], require_tls: 'ALL', routes: [] }] });
  const action = routes.find(request('/p'), random)?.action;
  t.is(action?.kind === 'redirect' ? action.location(request('/p')) : '', 'https://h/p');
});
