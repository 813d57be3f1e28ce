import { type HeaderList, parseIp, RequestHeaders } from '@flotilla/traffic';
import type { DownstreamHead } from '@flotilla/wire';
import type { HttpSpec } from '../config/http-config.js';
import type { Connection } from './connection.js';
import { normalizePath } from './path.js';

export interface Prepared {
  request: RequestHeaders;
  /** The client's address as far as it can be trusted, with port (0 if it comes from `x-forwarded-for`). */
  remoteAddress: string;
  /** The request came from outside the mesh: this proxy is its edge. */
  reject?: { status: number; details: string };
}

/** Hop-by-hop fields (RFC 9110 §7.6.1) and those that mean this connection only. */
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'te',
  'trailer',
  'expect',
  'http2-settings',
  'host',
]);

/** Fields by which a client could steer or fool the mesh; dropped at its edge as Envoy does for external requests. */
const edgeOnly = new Set([
  'x-envoy-internal',
  'x-envoy-decorator-operation',
  'x-envoy-downstream-service-cluster',
  'x-envoy-downstream-service-node',
  'x-envoy-expected-rq-timeout-ms',
  'x-envoy-force-trace',
  'x-envoy-ip-tags',
  'x-envoy-max-retries',
  'x-envoy-original-path',
  'x-envoy-original-url',
  'x-envoy-retriable-header-names',
  'x-envoy-retriable-status-codes',
  'x-envoy-retry-grpc-on',
  'x-envoy-retry-on',
  'x-envoy-upstream-alt-stat-name',
  'x-envoy-upstream-rq-per-try-timeout-ms',
  'x-envoy-upstream-rq-timeout-alt-response',
  'x-envoy-upstream-rq-timeout-ms',
]);

/**
 * Turns a request as received into one to be routed, as Envoy's connection manager: authority and path from the target,
 * hop-by-hop fields removed, forwarding headers and request id set, path normalized. Pure but for `newId`.
 */
export function prepareRequest(
  head: DownstreamHead,
  connection: Connection,
  spec: HttpSpec,
  newId: () => string,
): Prepared {
  const { headers } = head;
  const target = splitTarget(head.target);
  const request = new RequestHeaders(
    {
      method: head.method,
      path: target.path,
      authority: target.authority ?? headers.get('host') ?? '',
      scheme: 'http',
    },
    [...headers.flat],
  );
  removeHopByHop(request);
  const remoteAddress = forwarding(request, connection, spec);
  requestId(request, spec, newId);
  if (spec.clientCert !== 'ALWAYS_FORWARD_ONLY') request.remove('x-forwarded-client-cert');
  if (spec.via) request.append('via', spec.via);
  request.authority = stripHostPort(request.authority, connection, spec);
  const prepared: Prepared = { request, remoteAddress };
  const reject = check(head, request, spec);
  if (reject) return { ...prepared, reject };
  if (spec.normalizePath || spec.mergeSlashes || spec.escapedSlashes !== 'KEEP_UNCHANGED') {
    const path = normalizePath(request.path, spec);
    if (path === undefined) return { ...prepared, reject: { status: 400, details: 'path_normalization_failed' } };
    request.path = path;
  }
  return prepared;
}

/** Absolute form (RFC 9112 §3.2.2), as forward proxies get it, overrides the Host header. */
function splitTarget(target: string): { path: string; authority?: string } {
  const match = /^[a-zA-Z][a-zA-Z0-9+.-]*:\/\/([^/?#]*)(.*)$/.exec(target);
  if (!match) return { path: target };
  const rest = match[2]!;
  return { authority: match[1]!.replace(/^.*@/, ''), path: rest.startsWith('/') ? rest : `/${rest}` };
}

export function removeHopByHop(headers: HeaderList): void {
  const named = headers.get('connection');
  const listed = named ? new Set(named.split(',').map((name) => name.trim().toLowerCase())) : undefined;
  headers.removeIf((name) => hopByHop.has(name) || (listed?.has(name) ?? false));
}

/** Whose request it is: `x-forwarded-for`, `x-forwarded-proto`, and the client's address. */
function forwarding(request: RequestHeaders, { direct, remote }: Connection, spec: HttpSpec): string {
  const peer = remote ?? direct;
  const chain = (request.get('x-forwarded-for') ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean);
  const nth = (hops: number): string | undefined => {
    const address = chain[chain.length - 1 - hops];
    return address !== undefined && parseIp(address) !== undefined ? `${address}:0` : undefined;
  };
  const self = `${peer.address}:${peer.port}`;
  if (!spec.useRemoteAddress) {
    if (!request.has('x-forwarded-proto')) request.set('x-forwarded-proto', 'http');
    request.scheme = request.get('x-forwarded-proto')!;
    return nth(spec.trustedHops) ?? self;
  }
  request.removeIf((name) => edgeOnly.has(name));
  const trusted = spec.trustedHops === 0 ? self : (nth(spec.trustedHops - 1) ?? self);
  if (spec.appendXff) {
    const before = chain.join(',');
    request.set('x-forwarded-for', before ? `${before},${peer.address}` : peer.address);
  }
  if (spec.trustedHops === 0 || !request.has('x-forwarded-proto')) request.set('x-forwarded-proto', 'http');
  request.scheme = request.get('x-forwarded-proto')!;
  request.set('x-envoy-external-address', trusted.slice(0, trusted.lastIndexOf(':')));
  return trusted;
}

function requestId(request: RequestHeaders, spec: HttpSpec, newId: () => string): void {
  if (spec.useRemoteAddress && !spec.preserveExternalRequestId) request.remove('x-request-id');
  if (spec.generateRequestId && !request.has('x-request-id')) request.set('x-request-id', newId());
}

function stripHostPort(authority: string, { local }: Connection, spec: HttpSpec): string {
  if (spec.stripPort === 'no') return authority;
  const match = /^(.+):(\d+)$/.exec(authority);
  if (!match || (spec.stripPort === 'matching' && Number(match[2]) !== local.port)) return authority;
  return match[1]!;
}

function check(head: DownstreamHead, request: RequestHeaders, spec: HttpSpec): Prepared['reject'] {
  if (head.headers.flat.length > 2 * spec.maxHeaders) return { status: 431, details: 'http1.too_many_headers' };
  if (head.version === '1.0' && !spec.acceptHttp10) return { status: 426, details: 'low_version' };
  if (!request.authority && head.version !== '1.0') return { status: 400, details: 'missing_host_header' };
  if (!request.path.startsWith('/') && request.path !== '*') return { status: 404, details: 'missing_path_rejected' };
  if (spec.underscores === 'ALLOW') return undefined;
  const bad = [...request.entries()].some(([name]) => name.includes('_'));
  if (bad && spec.underscores === 'REJECT_REQUEST') return { status: 400, details: 'http1.unexpected_underscore' };
  if (bad) request.removeIf((name) => name.includes('_'));
  return undefined;
}
