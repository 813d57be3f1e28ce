import type { IncomingHttpHeaders } from 'node:http';

/**
 * The headers that every Bookinfo service hands on to the services it calls: those by which tracers join the hops of a
 * request, and those that the sample's own routing rules match on.
 */
const propagated = [
  'x-request-id',
  'x-ot-span-context',
  'x-datadog-trace-id',
  'x-datadog-parent-id',
  'x-datadog-sampling-priority',
  'traceparent',
  'tracestate',
  'x-cloud-trace-context',
  'grpc-trace-bin',
  'x-b3-traceid',
  'x-b3-spanid',
  'x-b3-parentspanid',
  'x-b3-sampled',
  'x-b3-flags',
  'sw8',
  'user-agent',
  'end-user',
  'cookie',
  'authorization',
  'jwt',
];

export function propagate(headers: IncomingHttpHeaders): Record<string, string> {
  const out: Record<string, string> = {};
  for (const name of propagated) {
    const value = headers[name];
    if (typeof value === 'string') out[name] = value;
  }
  return out;
}
