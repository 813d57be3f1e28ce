import test from 'ava';
import type * as istio from '../../gen/istio.js';
import * as served from '../../resources.js';
import type { KubeObject, ResourceInfo } from '../../resources.js';
import type { JsonObject } from '../../schema/json.js';
import { validateCreate } from '../index.js';
import { made, texts } from '../testing.js';
import { istioDenial } from './index.js';

const prefix = 'admission webhook "validation.istio.io" denied the request: configuration is invalid: ';
const denial = <T extends KubeObject>(info: ResourceInfo<T>, spec: JsonObject): string | undefined =>
  istioDenial(info, made(info, { spec }))?.message.replace(prefix, '');
const http = (route: JsonObject, more: JsonObject = {}): JsonObject => ({
  hosts: ['reviews'],
  http: [{ route: [{ destination: { host: 'reviews', subset: 'v1' } }], ...route }],
  ...more,
});

test('Istio: gateways', (t) => {
  const server: JsonObject = { port: { number: 80, name: 'http', protocol: 'HTTP' }, hosts: ['*'] };
  const gateway = (more: JsonObject): string | undefined =>
    denial(served.gateways, { servers: [{ ...server, ...more }] });
  t.is(gateway({}), undefined);
  t.is(gateway({ hosts: ['ns/*.example.com'] }), undefined);
  t.is(denial(served.gateways, {}), 'gateway must have at least one server');
  t.is(gateway({ hosts: [] }), 'server config must contain at least one host');
  t.is(
    gateway({ port: { number: 0, name: 'x', protocol: 'SMTP' } }),
    '2 errors occurred:\n\t* invalid protocol "SMTP", supported protocols are HTTP, HTTP2, GRPC, GRPC-WEB, MONGO, REDIS, MYSQL, TCP\n\t* port number 0 must be in the range 1..65535\n\n',
  );
  t.is(
    gateway({ port: { number: 443, name: 'https', protocol: 'HTTPS' } }),
    'server must have TLS settings for HTTPS/TLS protocols',
  );
  t.is(gateway({ tls: { httpsRedirect: true } }), undefined);
  t.is(
    gateway({ tls: { mode: 'SIMPLE', credentialName: 'c' } }),
    'server cannot have TLS settings for plain text HTTP ports',
  );
  t.is(
    denial(served.gateways, { servers: [server, server] }),
    'port names in servers must be unique: duplicate name http',
  );
});

const virtualServices: [string, JsonObject, string | undefined][] = [
  [
    'a good one',
    http({
      match: [{ headers: { 'end-user': { exact: 'jason' } } }],
      fault: { delay: { percentage: { value: 100 }, fixedDelay: '7s' } },
    }),
    undefined,
  ],
  ['no routes', { hosts: ['a'] }, 'http, tcp or tls must be provided in virtual service'],
  ['a route to nowhere', { hosts: ['a'], http: [{}] }, 'HTTP route, redirect or direct_response is required'],
  ['a bad host', http({}, { hosts: ['a_b'] }), 'domain name "a_b" invalid (label "a_b" invalid)'],
  [
    'a wildcard in the mesh',
    http({}, { hosts: ['*'] }),
    'wildcard host * is not allowed for virtual services bound to the mesh gateway',
  ],
  ['a wildcard at a gateway', http({}, { hosts: ['*'], gateways: ['bookinfo-gateway'] }), undefined],
  [
    'overlapping hosts',
    http({}, { hosts: ['*.a.com', 'b.a.com'] }),
    'duplicate hosts in virtual service: *.a.com & b.a.com',
  ],
  ['a negative weight', http({ route: [{ destination: { host: 'a' }, weight: -1 }] }), 'weight -1 < 0'],
  [
    'weights of nothing',
    http({ route: [{ destination: { host: 'a' } }, { destination: { host: 'b' }, weight: 0 }] }),
    'total destination weight = 0',
  ],
  [
    'a bad regular expression',
    http({ match: [{ uri: { regex: '(a' } }] }),
    '"uri": error parsing regexp: missing closing ): `(a`; Istio uses RE2 style regex-based match (https://github.com/google/re2/wiki/Syntax)',
  ],
  ['RE2’s own syntax', http({ match: [{ uri: { regex: '(?i)^/a[[:digit:]]+\\z' } }] }), undefined],
  [
    'what RE2 has not',
    http({ match: [{ uri: { regex: '^(?!a)' } }] }),
    '"uri": error parsing regexp: invalid or unsupported Perl syntax: `(?!`; Istio uses RE2 style regex-based match (https://github.com/google/re2/wiki/Syntax)',
  ],
  [
    'a bad percentage',
    http({ fault: { abort: { percentage: { value: 101 }, httpStatus: 500 } } }),
    'percentage 101 is neither 0.0, nor in range [0.0001, 100.0]',
  ],
  ['a bad status', http({ fault: { abort: { httpStatus: 100 } } }), 'HTTP status 100 is not in range 200-599'],
  ['a bad timeout', http({ timeout: '0s' }), 'duration must be greater than 1ms'],
  ['a bad retry', http({ retries: { attempts: 2, retryOn: '5xx,foo' } }), '"foo" is not a valid retryOn policy'],
  ['both route and redirect', http({ redirect: { uri: '/' } }), 'HTTP route cannot contain both route and redirect'],
  [
    'an empty rewrite',
    http({ rewrite: {} }),
    'rewrite must specify at least one of URI, UriRegexRewrite, or authority. Only one of URI or UriRegexRewrite may be specified',
  ],
  ['a bad gateway name', http({}, { gateways: ['a/b/c'] }), 'invalid value for gateway name: "b/c"'],
];
for (const [what, spec, expected] of virtualServices) {
  test(`Istio: a virtual service with ${what}`, (t) => t.is(denial(served.virtualServices, spec), expected));
}

test('Istio: destination rules', (t) => {
  const rule = (spec: JsonObject): string | undefined => denial(served.destinationRules, { host: 'reviews', ...spec });
  t.is(rule({ subsets: [{ name: 'v1', labels: { version: 'v1' } }] }), undefined);
  t.is(rule({ trafficPolicy: { loadBalancer: { simple: 'RANDOM' } } }), undefined);
  t.is(rule({ subsets: [{ name: 'v1' }, { name: 'v1' }] }), 'duplicate subset names: v1');
  t.is(rule({ subsets: [{ name: 'V_1' }] }), 'subset name is invalid: V_1');
  t.is(rule({ trafficPolicy: {} }), 'traffic policy must have at least one field');
  t.is(
    rule({ trafficPolicy: { outlierDetection: { maxEjectionPercent: 101 } } }),
    'percentage 101 is not in range 0..100',
  );
  t.is(rule({ trafficPolicy: { connectionPool: {} } }), 'connection pool must have at least one field');
  t.is(
    rule({ trafficPolicy: { tls: { mode: 'MUTUAL' } } }),
    '2 errors occurred:\n\t* client certificate required for mutual tls\n\t* private key required for mutual tls\n\n',
  );
});

test('Istio: what does not fit the schema is said first', (t) => {
  const rule: istio.DestinationRule = made(served.destinationRules, {
    spec: { trafficPolicy: { loadBalancer: { simple: 'X' } } },
  });
  t.is(istioDenial(served.destinationRules, rule), undefined);
  const errors = texts(validateCreate(served.destinationRules, rule));
  t.true(errors.includes('spec.host: Required value'));
  t.true(errors.some((e) => e.startsWith('spec.trafficPolicy.loadBalancer.simple: Unsupported value: "X"')));
});
