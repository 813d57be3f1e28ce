import { compileFormat, compileHeaderMatchers, InvalidConfig, refuse, type StreamInfo } from '@flotilla/traffic';
import type {
  AccessLog as AccessLogConfig,
  AccessLogFilter,
  FileAccessLog,
  JsonObject,
  JsonValue,
  SubstitutionFormatString,
} from '@flotilla/xds';
import { unpack } from '@flotilla/xds';

/** Writes one line for a finished stream, or nothing if its filter says no. */
export type AccessLog = (info: StreamInfo) => void;

export interface LogSinks {
  stdout(line: string): void;
  stderr(line: string): void;
}

const fileLog = 'envoy.extensions.access_loggers.file.v3.FileAccessLog';
const stdoutLog = 'envoy.extensions.access_loggers.stream.v3.StdoutAccessLog';

/** The fields of Istio's default line, in its order. */
const defaultFormat =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% ' +
  '%RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% ' +
  '%BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" ' +
  '"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS% ' +
  '%DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%\n';

export function compileAccessLogs(
  configs: readonly AccessLogConfig[] | undefined,
  path: string,
  sinks: LogSinks,
): AccessLog[] {
  return (configs ?? []).map((config, i) => compileAccessLog(config, `${path}[${i}]`, sinks));
}

function compileAccessLog(config: AccessLogConfig, path: string, sinks: LogSinks): AccessLog {
  const at = `${path}.typed_config`;
  const file = unpack(fileLog, config.typed_config);
  const stdout = unpack(stdoutLog, config.typed_config);
  if (!file && !stdout)
    throw new InvalidConfig(at, `${config.typed_config?.type_url ?? 'no type'} is not supported by this proxy`);
  const write = file ? sinkOf(file, `${at}.path`, sinks) : sinks.stdout;
  const format = compileLine(file?.log_format ?? stdout?.log_format ?? legacyFormat(file), `${at}.log_format`);
  const wanted = config.filter ? compileFilter(config.filter, `${path}.filter`) : () => true;
  return (info) => {
    if (wanted(info)) write(format(info));
  };
}

function sinkOf(file: FileAccessLog, path: string, sinks: LogSinks): (line: string) => void {
  if (file.path === '/dev/stdout') return sinks.stdout;
  if (file.path === '/dev/stderr') return sinks.stderr;
  throw new InvalidConfig(path, 'only /dev/stdout and /dev/stderr are supported by this proxy');
}

function legacyFormat(file: FileAccessLog | undefined): SubstitutionFormatString {
  if (file?.format) return { text_format: file.format };
  const json = file?.json_format ?? file?.typed_json_format;
  return json ? { json_format: json } : {};
}

function compileLine(config: SubstitutionFormatString, path: string): (info: StreamInfo) => string {
  const text = config.text_format ?? config.text_format_source?.inline_string;
  if (config.json_format) {
    const render = compileJson(config.json_format, `${path}.json_format`);
    return (info) => `${JSON.stringify(render(info))}\n`;
  }
  return compileFormat(text || defaultFormat, '-', `${path}.text_format`);
}

function compileJson(value: JsonValue, path: string): (info: StreamInfo) => JsonValue {
  if (typeof value === 'string') {
    const render = compileFormat(value, '\0', path);
    // A lone variable keeps its type: numbers are numbers, and what is absent is null.
    const lone = /^%[^%]+%$/.test(value);
    return (info) => {
      const text = render(info);
      if (!lone) return text.replaceAll('\0', '-');
      if (text === '\0') return null;
      return /^\d+$/.test(text) && text.length < 16 ? Number(text) : text;
    };
  }
  if (typeof value !== 'object' || value === null) return () => value;
  if (Array.isArray(value)) {
    const items = value.map((item, i) => compileJson(item, `${path}[${i}]`));
    return (info) => items.map((item) => item(info));
  }
  const fields = Object.entries(value).map(([name, item]) => [name, compileJson(item, `${path}.${name}`)] as const);
  return (info) => {
    const out: JsonObject = {};
    for (const [name, field] of fields) out[name] = field(info);
    return out;
  };
}

function compileFilter(filter: AccessLogFilter, path: string): (info: StreamInfo) => boolean {
  refuse(path, filter, [
    'traceable_filter',
    'runtime_filter',
    'grpc_status_filter',
    'extension_filter',
    'metadata_filter',
  ]);
  refuse(path, filter, ['log_type_filter', 'duration_filter']);
  const { status_code_filter: status, response_flag_filter: flags, header_filter: header } = filter;
  if (status?.comparison) {
    const { op = 'EQ', value } = status.comparison;
    const bound = value?.default_value ?? 0;
    return ({ responseCode: code }) => (op === 'GE' ? code >= bound : op === 'LE' ? code <= bound : code === bound);
  }
  if (flags) {
    const wanted = new Set<string>(flags.flags);
    return (info) => (wanted.size === 0 ? info.flags.length > 0 : info.flags.some((flag) => wanted.has(flag)));
  }
  if (header?.header) {
    const tests = compileHeaderMatchers([header.header], `${path}.header_filter`);
    return (info) => info.request !== undefined && tests.every((test) => test(info.request!));
  }
  const parts = (filter.and_filter ?? filter.or_filter)?.filters?.map((f, i) =>
    compileFilter(f, `${path}.filters[${i}]`),
  );
  if (parts) return filter.and_filter ? (i) => parts.every((p) => p(i)) : (i) => parts.some((p) => p(i));
  // Health checks do not pass through here: nothing to leave out.
  return () => true;
}
