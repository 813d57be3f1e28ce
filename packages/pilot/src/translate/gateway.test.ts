import type { VirtualHost } from '@flotilla/xds';
import test from 'ava';
import { bookinfo, ingressGateway, names, resource, type TestMesh } from '../testing.js';

const service = `
kind: Service
metadata: { name: istio-ingressgateway, namespace: istio-system }
spec:
  clusterIP: 127.193.1.1
  selector: { istio: ingressgateway }
  ports: [{ name: http2, port: 80, targetPort: 8080 }, { name: https, port: 443, targetPort: 8443 }]
`;
const gateway = (name: string, servers: string): string => `
kind: Gateway
metadata: { name: ${name} }
spec: { selector: { istio: ingressgateway }, servers: ${servers} }
`;
const rule = (name: string, hosts: string, gateways: string, http: string): string => `
kind: VirtualService
metadata: { name: ${name} }
spec: { hosts: ${hosts}, gateways: ${gateways}, http: ${http} }
`;
const toPage = 'route: [{ destination: { host: productpage } }]';
const http80 = '[{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }]';

const mesh = (...manifests: string[]): TestMesh =>
  bookinfo()
    .apply(service)
    .pod('istio-ingressgateway-1', '127.65.1.9', ingressGateway.labels, { namespace: 'istio-system' })
    .apply(manifests.join('\n---\n'));

function hosts(world: TestMesh, route = 'http.8080'): VirtualHost[] {
  return resource(world.view(ingressGateway), 'route', route)!.virtual_hosts ?? [];
}
const domains = (world: TestMesh): string[] => hosts(world).flatMap((host) => host.domains!);

test('without any Gateway the port is open and answers 404', (t) => {
  t.deepEqual(names(mesh().view(ingressGateway), 'listener'), ['0.0.0.0_8080']);
  t.deepEqual(hosts(mesh()), []);
});

test("a server's port is the service's target port; a port that is no service port is itself", (t) => {
  const both = mesh(
    gateway('a', http80),
    gateway('b', '[{ port: { number: 8888, name: h, protocol: HTTP }, hosts: ["*"] }]'),
  );
  t.deepEqual(names(both.view(ingressGateway), 'listener'), ['0.0.0.0_8080', '0.0.0.0_8888']);
});

test('a Gateway that selects other pods does nothing here', (t) => {
  const other = mesh(
    gateway('a', '[{ port: { number: 81, name: h, protocol: HTTP }, hosts: ["*"] }]').replace(
      'istio: ingressgateway',
      'istio: egress',
    ),
  );
  t.deepEqual(names(other.view(ingressGateway), 'listener'), ['0.0.0.0_8080']);
});

test('a Gateway without rules answers 404', (t) => {
  t.deepEqual(hosts(mesh(gateway('a', http80))), [{ name: 'blackhole:80', domains: ['*'] }]);
});

test('hosts are those that both the server and the rule name', (t) => {
  const servers = '[{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*.example.com", "shop.org"] }]';
  const world = mesh(
    gateway('a', servers),
    rule('one', '[www.example.com, other.net]', '[a]', `[{ ${toPage} }]`),
    rule('two', '["*"]', '[a]', `[{ ${toPage} }]`),
  );
  t.deepEqual(domains(world).sort(), ['*.example.com', 'shop.org', 'www.example.com']);
});

test('rules bind by name, by namespace and name, and not by accident', (t) => {
  const elsewhere = rule('far', '[far.com]', '[default/a]', `[{ ${toPage} }]`).replace(
    'name: far',
    'name: far, namespace: other',
  );
  const lost = rule('lost', '[lost.com]', '[a]', `[{ ${toPage} }]`).replace(
    'name: lost',
    'name: lost, namespace: other',
  );
  const world = mesh(gateway('a', http80), rule('near', '[near.com]', '[a]', `[{ ${toPage} }]`), elsewhere, lost);
  t.deepEqual(domains(world).sort(), ['far.com', 'near.com']);
});

test('a server may take rules of one namespace only', (t) => {
  const servers = '[{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["./*"] }]';
  const far = rule('far', '[far.com]', '[default/a]', `[{ ${toPage} }]`).replace(
    'name: far',
    'name: far, namespace: other',
  );
  t.deepEqual(domains(mesh(gateway('a', servers), rule('near', '[near.com]', '[a]', `[{ ${toPage} }]`), far)), [
    'near.com',
  ]);
});

test('several Gateways and rules on one port: routes add up, those that take everything come last', (t) => {
  const world = mesh(
    gateway('a', http80),
    gateway('b', '[{ port: { number: 8080, name: http, protocol: HTTP }, hosts: ["*"] }]'),
    rule('all', '["*"]', '[a]', `[{ name: all, ${toPage} }]`),
    rule('some', '["*"]', '[b]', `[{ name: some, match: [{ uri: { prefix: /some } }], ${toPage} }]`),
  );
  t.deepEqual(
    hosts(world).map(({ domains: found, routes }) => [found, routes!.map(({ name }) => name)]),
    [[['*'], ['some', 'all']]],
  );
});

test('a rule for mesh and gateway tells them apart', (t) => {
  const world = mesh(
    gateway('a', http80),
    rule(
      'both',
      '[productpage, shop.com]',
      '[a, mesh]',
      `[{ name: outside, match: [{ gateways: [a] }], ${toPage} }, { name: inside, match: [{ gateways: [mesh] }], ${toPage} }]`,
    ),
  );
  t.deepEqual(
    hosts(world)
      .find(({ domains: found }) => found!.includes('shop.com'))!
      .routes!.map(({ name }) => name),
    ['outside'],
  );
});

test('the port that a rule matches is the one of the Gateway, not the pod', (t) => {
  const world = mesh(
    gateway('a', http80),
    rule(
      'r',
      '["*"]',
      '[a]',
      `[{ name: p80, match: [{ port: 80, uri: { prefix: /x } }], ${toPage} }, { name: p8080, match: [{ port: 8080 }], ${toPage} }]`,
    ),
  );
  t.deepEqual(
    hosts(world)[0]!.routes!.map(({ name }) => name),
    ['p80'],
  );
});

test('a redirect to HTTPS holds for hosts with and without rules', (t) => {
  const servers =
    '[{ port: { number: 80, name: http, protocol: HTTP }, hosts: [a.com, b.com], tls: { httpsRedirect: true } }]';
  const world = mesh(gateway('a', servers), rule('r', '[a.com]', '[a]', `[{ ${toPage} }]`));
  t.deepEqual(
    hosts(world).map(({ domains: found, require_tls }) => [found![0], require_tls]),
    [
      ['a.com', 'ALL'],
      ['b.com', 'ALL'],
    ],
  );
});

test('what is not served yet is refused in so many words, and the rest goes on', (t) => {
  const servers = `[
    { port: { number: 443, name: https, protocol: HTTPS }, hosts: [a.com], tls: { mode: SIMPLE, credentialName: c } },
    { port: { number: 80, name: http, protocol: HTTP }, hosts: [a.com] }]`;
  const view = mesh(gateway('a', servers)).view(ingressGateway);
  t.deepEqual(names(view, 'listener'), ['0.0.0.0_8080']);
  t.deepEqual(view.problems, [
    { about: 'Gateway default/a', message: 'HTTPS servers are not supported yet; port 443 is not opened' },
  ]);
});

test('a TCP server with a tcp route', (t) => {
  const world = mesh(
    gateway('a', '[{ port: { number: 3306, name: tcp, protocol: TCP }, hosts: ["*"] }]'),
    `
kind: VirtualService
metadata: { name: r }
spec: { hosts: ["*"], gateways: [a], tcp: [{ match: [{ port: 3306 }], route: [{ destination: { host: ratings, port: { number: 9080 } } }] }] }
`,
  );
  t.true(names(world.view(ingressGateway), 'listener').includes('0.0.0.0_3306'));
});
