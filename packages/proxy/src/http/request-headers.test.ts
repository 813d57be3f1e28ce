import test from 'ava';
import * as fc from 'fast-check';
import { HeaderList } from '@flotilla/traffic';
import type { DownstreamHead } from '@flotilla/wire';
import { compileHttp, type HttpSpec } from '../config/http-config.js';
import { pack, type HttpConnectionManager } from '@flotilla/xds';
import type { Connection } from './connection.js';
import { normalizePath } from './path.js';
import { prepareRequest, type Prepared } from './request-headers.js';

const router = { name: 'router', typed_config: pack('envoy.extensions.filters.http.router.v3.Router', {}) };
const spec = (more: HttpConnectionManager = {}): HttpSpec =>
  compileHttp({ route_config: {}, http_filters: [router], ...more }, '', { stdout() {}, stderr() {} });
const connection: Connection = {
  local: { address: '10.0.0.9', port: 80 },
  remote: { address: '10.0.0.1', port: 4000 },
  direct: { address: '10.0.0.1', port: 4000 },
  serverName: undefined,
  direction: 'OUTBOUND',
  draining: () => false,
  requests: 1,
};

function prepare(
  head: Partial<Omit<DownstreamHead, 'headers'>> & { headers?: Record<string, string> },
  more: HttpConnectionManager = {},
): Prepared {
  const headers = HeaderList.fromRaw(Object.entries({ host: 'h', ...head.headers }).flat());
  return prepareRequest(
    { method: 'GET', target: '/', version: '1.1', ...head, headers },
    connection,
    spec(more),
    () => 'new-id',
  );
}

test('hop-by-hop fields go, those that Connection lists too', (t) => {
  const { request } = prepare({
    headers: {
      connection: 'close, X-Mine',
      'x-mine': '1',
      'keep-alive': '5',
      te: 'trailers',
      'transfer-encoding': 'chunked',
      'x-kept': '2',
    },
  });
  t.deepEqual([...request.entries()].map(([name]) => name).sort(), ['x-forwarded-proto', 'x-kept', 'x-request-id']);
});

test('the edge appends to x-forwarded-for and trusts nobody; a sidecar leaves it alone', (t) => {
  const from = {
    headers: {
      'x-forwarded-for': '1.1.1.1',
      'x-forwarded-proto': 'https',
      'x-request-id': 'theirs',
      'x-envoy-max-retries': '9',
    },
  };
  const edge = prepare(from, { use_remote_address: true });
  t.is(edge.request.get('x-forwarded-for'), '1.1.1.1,10.0.0.1');
  t.is(edge.request.get('x-forwarded-proto'), 'http');
  t.is(edge.request.get('x-request-id'), 'new-id');
  t.is(edge.request.get('x-envoy-max-retries'), undefined);
  t.is(edge.remoteAddress, '10.0.0.1:4000');
  const trusting = prepare(from, {
    use_remote_address: true,
    xff_num_trusted_hops: 1,
    preserve_external_request_id: true,
  });
  t.is(trusting.remoteAddress, '1.1.1.1:0');
  t.is(trusting.request.get('x-forwarded-proto'), 'https');
  t.is(trusting.request.get('x-request-id'), 'theirs');
  const sidecar = prepare(from);
  t.is(sidecar.request.get('x-forwarded-for'), '1.1.1.1');
  t.is(sidecar.request.get('x-request-id'), 'theirs');
  t.is(sidecar.request.get('x-envoy-max-retries'), '9');
  t.is(sidecar.remoteAddress, '1.1.1.1:0');
});

test('authority: from the Host field, from an absolute target, without a port on demand', (t) => {
  t.is(prepare({ headers: { host: 'a:80' } }).request.authority, 'a:80');
  const absolute = prepare({ target: 'http://user@b:81?q=1', headers: { host: 'a' } }).request;
  t.deepEqual([absolute.authority, absolute.path], ['b:81', '/?q=1']);
  t.is(prepare({ headers: { host: 'a:80' } }, { strip_matching_host_port: true }).request.authority, 'a');
  t.is(prepare({ headers: { host: 'a:81' } }, { strip_matching_host_port: true }).request.authority, 'a:81');
  t.is(prepare({ headers: { host: 'a:81' } }, { strip_any_host_port: true }).request.authority, 'a');
});

test('what is refused', (t) => {
  t.is(prepare({ version: '1.0' }).reject?.status, 426);
  t.is(prepare({ version: '1.0' }, { http_protocol_options: { accept_http_10: true } }).reject, undefined);
  t.is(prepare({ headers: { host: '' } }).reject?.status, 400);
  t.is(prepare({ target: 'nonsense' }).reject?.status, 404);
  const action = (headers_with_underscores_action: 'REJECT_REQUEST' | 'DROP_HEADER') => ({
    common_http_protocol_options: { headers_with_underscores_action },
  });
  t.is(prepare({ headers: { a_b: '1' } }, action('REJECT_REQUEST')).reject?.status, 400);
  t.false(prepare({ headers: { a_b: '1' } }, action('DROP_HEADER')).request.has('a_b'));
  t.is(prepare({ target: '/a%2Fb' }, { path_with_escaped_slashes_action: 'REJECT_REQUEST' }).reject?.status, 400);
});

test('paths: dots, escapes, slashes', (t) => {
  const all = { normalizePath: true, mergeSlashes: true, escapedSlashes: 'UNESCAPE_AND_FORWARD' };
  const expected: Record<string, string> = {
    '/a/./b/../c': '/a/c',
    '/../../etc/passwd': '/etc/passwd',
    '/a/..': '/',
    '/a/.': '/a/',
    '/%61%2e%2F..\\b': '/b',
    '//a///b?x=//y/../z': '/a/b?x=//y/../z',
    '/a%c3%bc': '/a%C3%BC',
  };
  for (const [path, normal] of Object.entries(expected)) t.is(normalizePath(path, all), normal, path);
  t.is(normalizePath('/a%2Fb', { ...all, escapedSlashes: 'KEEP_UNCHANGED' }), '/a%2Fb');
});

test('property: a normal path stays as it is, and has no way up', (t) => {
  const options = { normalizePath: true, mergeSlashes: true, escapedSlashes: 'UNESCAPE_AND_FORWARD' };
  const segment = fc.constantFrom('a', '.', '..', '', '%2e', '%2E%2e', 'b%2fc', '...');
  fc.assert(
    fc.property(fc.array(segment, { maxLength: 8 }), (segments) => {
      const once = normalizePath(`/${segments.join('/')}`, options)!;
      t.true(once.startsWith('/'));
      t.is(normalizePath(once, options), once);
      t.false(once.split('/').some((s) => s === '.' || s === '..'));
    }),
  );
});

test('XFCC is for TLS peers only', (t) => {
  const headers = { 'x-forwarded-client-cert': 'Hash=1' };
  t.false(
    prepare({ headers }, { forward_client_cert_details: 'APPEND_FORWARD' }).request.has('x-forwarded-client-cert'),
  );
  t.true(
    prepare({ headers }, { forward_client_cert_details: 'ALWAYS_FORWARD_ONLY' }).request.has('x-forwarded-client-cert'),
  );
});
