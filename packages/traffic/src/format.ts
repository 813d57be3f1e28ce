import { InvalidConfig } from './invalid.js';
import type { StreamInfo } from './stream-info.js';

/** The value of one variable, or undefined where there is none. */
export type Variable = (info: StreamInfo) => string | undefined;

const text = (value: number | undefined): string | undefined =>
  value === undefined ? undefined : String(Math.round(value));
const withoutPort = (address: string | undefined): string | undefined => address?.slice(0, address.lastIndexOf(':'));
const portOf = (address: string | undefined): string | undefined => address?.slice(address.lastIndexOf(':') + 1);

/** Variables without an argument, by Envoy's names ("Access logging, command operators"). */
const plain: Record<string, Variable> = {
  PROTOCOL: (i) => i.protocol,
  RESPONSE_CODE: (i) => String(i.responseCode),
  RESPONSE_CODE_DETAILS: (i) => i.responseCodeDetails,
  CONNECTION_TERMINATION_DETAILS: (i) => i.connectionTerminationDetails,
  RESPONSE_FLAGS: (i) => (i.flags.length > 0 ? i.flags.join(',') : undefined),
  UPSTREAM_TRANSPORT_FAILURE_REASON: (i) => i.upstreamTransportFailure,
  BYTES_RECEIVED: (i) => String(i.bytesReceived),
  BYTES_SENT: (i) => String(i.bytesSent),
  DURATION: (i) => text(i.duration),
  REQUEST_DURATION: (i) => text(i.requestDuration),
  RESPONSE_DURATION: (i) => text(i.responseDuration),
  UPSTREAM_HOST: (i) => i.upstreamHost,
  UPSTREAM_REMOTE_ADDRESS: (i) => i.upstreamHost,
  UPSTREAM_CLUSTER: (i) => i.upstreamCluster,
  UPSTREAM_CLUSTER_RAW: (i) => i.upstreamCluster,
  UPSTREAM_LOCAL_ADDRESS: (i) => i.upstreamLocalAddress,
  UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT: (i) => withoutPort(i.upstreamLocalAddress),
  UPSTREAM_REQUEST_ATTEMPT_COUNT: (i) => text(i.attempts ?? 0),
  DOWNSTREAM_LOCAL_ADDRESS: (i) => i.downstreamLocalAddress,
  DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT: (i) => withoutPort(i.downstreamLocalAddress),
  DOWNSTREAM_LOCAL_PORT: (i) => portOf(i.downstreamLocalAddress),
  DOWNSTREAM_REMOTE_ADDRESS: (i) => i.downstreamRemoteAddress,
  DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: (i) => withoutPort(i.downstreamRemoteAddress),
  DOWNSTREAM_REMOTE_PORT: (i) => portOf(i.downstreamRemoteAddress),
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS: (i) => i.downstreamDirectRemoteAddress,
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT: (i) => withoutPort(i.downstreamDirectRemoteAddress),
  REQUESTED_SERVER_NAME: (i) => i.requestedServerName,
  ROUTE_NAME: (i) => i.routeName,
  HOSTNAME: (i) => i.hostname,
};

/** `NAME(argument):length` */
function compileVariable(operator: string, path: string): Variable {
  const match = /^([A-Z_0-9]+)(?:\(([^)]*)\))?(?::(\d+))?$/.exec(operator);
  if (!match) throw new InvalidConfig(path, `invalid format operator '%${operator}%'`);
  const [, name = '', argument, length] = match;
  const value = argument === undefined && name !== 'START_TIME' ? plain[name] : withArgument(name, argument ?? '');
  if (!value) throw new InvalidConfig(path, `format operator '%${operator}%' is not supported`);
  return length === undefined ? value : (info) => value(info)?.slice(0, Number(length));
}

function withArgument(name: string, argument: string): Variable | undefined {
  // `X?Y` takes Y where X is absent.
  const names = argument.toLowerCase().split('?');
  switch (name) {
    case 'REQ':
      return (info) => info.request?.get(names[0]!) ?? (names[1] ? info.request?.get(names[1]) : undefined);
    case 'RESP':
      return (info) => info.response?.get(names[0]!) ?? (names[1] ? info.response?.get(names[1]) : undefined);
    case 'START_TIME':
      return (info) => formatTime(info.startTime, argument);
    case 'TRAILER':
    case 'DYNAMIC_METADATA':
    case 'FILTER_STATE':
      // Nothing writes these yet, so that the value is absent rather than wrong.
      return () => undefined;
    default:
      return undefined;
  }
}

const two = (n: number): string => String(n).padStart(2, '0');

/** strftime's common conversions in UTC, and Envoy's `%3f`, `%6f`, `%9f`, `%s`. Without a format: ISO 8601 with milliseconds. */
function formatTime(ms: number, format: string): string {
  const date = new Date(ms);
  if (!format) return date.toISOString();
  const parts: Record<string, string> = {
    Y: String(date.getUTCFullYear()),
    m: two(date.getUTCMonth() + 1),
    d: two(date.getUTCDate()),
    H: two(date.getUTCHours()),
    M: two(date.getUTCMinutes()),
    S: two(date.getUTCSeconds()),
    T: date.toISOString().slice(11, 19),
    F: date.toISOString().slice(0, 10),
    s: String(Math.floor(ms / 1000)),
    z: '+0000',
    Z: 'UTC',
  };
  const fractionOf = String(Math.floor(ms % 1000))
    .padStart(3, '0')
    .padEnd(9, '0');
  return format.replace(
    /%(?:([1-9])?f|([A-Za-z]))/g,
    (whole, digits: string | undefined, letter: string | undefined) =>
      letter === undefined ? fractionOf.slice(0, Number(digits ?? 9)) : (parts[letter] ?? whole),
  );
}

/**
 * Compiles a format string with Envoy's `%VARIABLES%`; `%%` is a percent sign. `absent` stands for what has no value: "-"
 * in access logs, nothing in headers.
 */
export function compileFormat(format: string, absent: string, path: string): (info: StreamInfo) => string {
  const parts: (string | Variable)[] = [];
  let at = 0;
  while (at < format.length) {
    const start = format.indexOf('%', at);
    if (start < 0) break;
    if (start > at) parts.push(format.slice(at, start));
    if (format[start + 1] === '%') {
      parts.push('%');
      at = start + 2;
      continue;
    }
    const end = operatorEnd(format, start + 1);
    if (end < 0) throw new InvalidConfig(path, 'a format operator has no closing "%"');
    parts.push(compileVariable(format.slice(start + 1, end), path));
    at = end + 1;
  }
  if (at < format.length) parts.push(format.slice(at));
  if (parts.every((part) => typeof part === 'string')) {
    const constant = parts.join('');
    return () => constant;
  }
  return (info) => {
    let out = '';
    for (const part of parts) out += typeof part === 'string' ? part : (part(info) ?? absent);
    return out;
  };
}

/** The index of the closing "%", which an argument in parentheses may also contain. */
function operatorEnd(format: string, from: number): number {
  const open = format.indexOf('(', from);
  const close = format.indexOf('%', from);
  if (open < 0 || close < open) return close;
  return format.indexOf('%', Math.max(from, format.indexOf(')', open)));
}
