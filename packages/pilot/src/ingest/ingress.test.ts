import type { networking } from '@flotilla/api';
import test from 'ava';
import { bookinfo, ingressGateway, resource, type TestMesh } from '../testing.js';
import { isOurs } from './ingress.js';
import { decideStatus } from './ingress-status.js';

const service = `
kind: Service
metadata: { name: istio-ingressgateway, namespace: istio-system }
spec: { clusterIP: 127.193.1.1, selector: { istio: ingressgateway }, ports: [{ name: http2, port: 80, targetPort: 8080 }] }
`;
const ingress = (name: string, spec: string, metadata = ''): string => `
kind: Ingress
metadata: { name: ${name}${metadata} }
spec: ${spec}
`;
const page = (path: string, pathType: string, backend = 'productpage'): string =>
  `{ path: ${path}, pathType: ${pathType}, backend: { service: { name: ${backend}, port: { number: 9080 } } } }`;

const mesh = (...manifests: string[]): TestMesh => bookinfo().apply([service, ...manifests].join('\n---\n'));

/** Host → path and service of each route. */
function routes(world: TestMesh): Record<string, string[]> {
  const found = resource(world.view(ingressGateway), 'route', 'http.8080')!.virtual_hosts ?? [];
  return Object.fromEntries(
    found.map(({ domains, routes: list = [] }) => [
      domains![0]!,
      list.map(({ match, route }) => {
        const path =
          match!.path ??
          (match!.path_separated_prefix === undefined ? `${match!.prefix}` : `${match!.path_separated_prefix}/`);
        return `${path} ${route!.cluster!.split('|')[3]!.split('.')[0]}:${route!.cluster!.split('|')[1]}`;
      }),
    ]),
  );
}

test("Bookinfo's ingress by the old annotation: exact paths first, prefixes by element", (t) => {
  const paths = [
    page('/productpage', 'Exact'),
    page('/static/', 'Prefix'),
    page('/login', 'Exact'),
    page('/api/v1/products', 'Prefix'),
  ];
  const world = mesh(
    ingress(
      'gateway',
      `{ rules: [{ http: { paths: [${paths.join(', ')}] } }] }`,
      ', annotations: { kubernetes.io/ingress.class: istio }',
    ),
  );
  t.deepEqual(routes(world), {
    '*': [
      '/productpage productpage:9080',
      '/login productpage:9080',
      '/api/v1/products/ productpage:9080',
      '/static/ productpage:9080',
    ],
  });
});

test('hosts, a named port, the default backend for what nothing takes', (t) => {
  const named = '{ path: /n, pathType: Prefix, backend: { service: { name: reviews, port: { name: http } } } }';
  const world = mesh(
    ingress(
      'i',
      `{ ingressClassName: istio, defaultBackend: { service: { name: details, port: { number: 9080 } } },
         rules: [{ host: a.com, http: { paths: [${named}] } }, { host: "*.b.com", http: { paths: [${page('/', 'Prefix')}] } }] }`,
    ),
  );
  t.deepEqual(routes(world), {
    'a.com': ['/n/ reviews:9080', '/ details:9080'],
    '*.b.com': ['/ productpage:9080'],
    '*': ['/ details:9080'],
  });
});

test('of two Ingresses with one host and path the older one counts; their other paths add up', (t) => {
  const world = mesh(
    ingress('old', `{ ingressClassName: istio, rules: [{ host: a.com, http: { paths: [${page('/x', 'Prefix')}] } }] }`),
    ingress(
      'new',
      `{ ingressClassName: istio, rules: [{ host: a.com, http: { paths: [${page('/x', 'Prefix', 'details')}, ${page('/x/y', 'Prefix', 'details')}] } }] }`,
    ),
  );
  t.deepEqual(routes(world), { 'a.com': ['/x/y/ details:9080', '/x/ productpage:9080'] });
});

test('an Ingress of another class does nothing', (t) => {
  const world = mesh(
    ingress('i', `{ ingressClassName: nginx, rules: [{ http: { paths: [${page('/', 'Prefix')}] } }] }`),
  );
  t.deepEqual(routes(world), {});
});

const classOf = (name: string, controller: string, isDefault = false): networking.IngressClass => ({
  metadata: { name, ...(isDefault ? { annotations: { 'ingressclass.kubernetes.io/is-default-class': 'true' } } : {}) },
  spec: { controller },
});
const of = (spec: networking.IngressSpec, annotations: Record<string, string> = {}): networking.Ingress => ({
  metadata: { name: 'i', namespace: 'default', annotations },
  spec,
  status: { loadBalancer: {} },
});

test('whose Ingress it is', (t) => {
  const ours = classOf('mesh', 'istio.io/ingress-controller');
  const theirs = classOf('istio', 'example.com/other');
  t.true(isOurs(of({ ingressClassName: 'mesh' }), [ours]));
  t.true(isOurs(of({ ingressClassName: 'istio' }), []));
  t.false(isOurs(of({ ingressClassName: 'istio' }), [theirs]), 'the class says who controls it');
  t.false(isOurs(of({ ingressClassName: 'nginx' }), [ours]));
  t.true(isOurs(of({}, { 'kubernetes.io/ingress.class': 'istio' }), []));
  t.false(isOurs(of({}, { 'kubernetes.io/ingress.class': 'nginx' }), [ours]));
  t.false(isOurs(of({}), [ours]));
  t.true(isOurs(of({}), [classOf('mesh', 'istio.io/ingress-controller', true)]));
});

test("an Ingress shows the gateway's address, and is left alone once it does", (t) => {
  const gateway = {
    metadata: { name: 'g' },
    spec: {},
    status: { loadBalancer: { ingress: [{ ip: '127.0.0.1' }] } },
  };
  const mine = of({ ingressClassName: 'istio' });
  t.deepEqual(decideStatus(mine, [], gateway), { ingress: [{ ip: '127.0.0.1' }] });
  const done = { ...mine, status: { loadBalancer: { ingress: [{ ip: '127.0.0.1' }] } } };
  t.is(decideStatus(done, [], gateway), undefined);
  t.deepEqual(decideStatus(done, [], undefined), { ingress: [] });
  t.is(decideStatus(of({ ingressClassName: 'nginx' }), [], gateway), undefined);
});
