// Writes src/gen/ from the .proto files that @grpc/grpc-js-xds ships (a development dependency; nothing of it is needed
// at run time): a compact field table of every message reachable from `roots`, TypeScript interfaces with Envoy's own
// field names, and the gRPC services as @grpc/proto-loader sees them.
//
// Loading these protos at run time would cost some 500 ms and 27 MB in every process; the table costs about a millisecond.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const outputs = ['table.ts', 'types.ts', 'services.ts'];

/** Proto file → the messages in it that we use by name. What they refer to comes along. */
const roots = {
  'envoy/service/discovery/v3/discovery.proto': [
    'envoy.service.discovery.v3.DiscoveryRequest',
    'envoy.service.discovery.v3.DiscoveryResponse',
    'envoy.service.discovery.v3.DeltaDiscoveryRequest',
    'envoy.service.discovery.v3.DeltaDiscoveryResponse',
  ],
  'envoy/config/listener/v3/listener.proto': ['envoy.config.listener.v3.Listener'],
  'envoy/config/route/v3/route.proto': ['envoy.config.route.v3.RouteConfiguration'],
  'envoy/config/cluster/v3/cluster.proto': ['envoy.config.cluster.v3.Cluster'],
  'envoy/config/endpoint/v3/endpoint.proto': ['envoy.config.endpoint.v3.ClusterLoadAssignment'],
  'envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.proto': [
    'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
  ],
  'envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.proto': [
    'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy',
  ],
  'envoy/extensions/filters/network/rbac/v3/rbac.proto': ['envoy.extensions.filters.network.rbac.v3.RBAC'],
  'envoy/extensions/filters/http/router/v3/router.proto': ['envoy.extensions.filters.http.router.v3.Router'],
  'envoy/extensions/filters/http/fault/v3/fault.proto': ['envoy.extensions.filters.http.fault.v3.HTTPFault'],
  'envoy/extensions/filters/http/cors/v3/cors.proto': [
    'envoy.extensions.filters.http.cors.v3.Cors',
    'envoy.extensions.filters.http.cors.v3.CorsPolicy',
  ],
  'envoy/extensions/filters/http/rbac/v3/rbac.proto': [
    'envoy.extensions.filters.http.rbac.v3.RBAC',
    'envoy.extensions.filters.http.rbac.v3.RBACPerRoute',
  ],
  'envoy/extensions/filters/listener/original_dst/v3/original_dst.proto': [
    'envoy.extensions.filters.listener.original_dst.v3.OriginalDst',
  ],
  'envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol.proto': [
    'envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol',
  ],
  'envoy/extensions/filters/listener/http_inspector/v3/http_inspector.proto': [
    'envoy.extensions.filters.listener.http_inspector.v3.HttpInspector',
  ],
  'envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector.proto': [
    'envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector',
  ],
  'envoy/extensions/retry/host/previous_hosts/v3/previous_hosts.proto': [
    'envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate',
  ],
  'envoy/extensions/transport_sockets/tls/v3/tls.proto': [
    'envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
    'envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext',
  ],
  'envoy/extensions/transport_sockets/tls/v3/secret.proto': ['envoy.extensions.transport_sockets.tls.v3.Secret'],
  'envoy/extensions/upstreams/http/v3/http_protocol_options.proto': [
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
  ],
  'envoy/extensions/access_loggers/file/v3/file.proto': ['envoy.extensions.access_loggers.file.v3.FileAccessLog'],
  'envoy/extensions/access_loggers/stream/v3/stream.proto': [
    'envoy.extensions.access_loggers.stream.v3.StdoutAccessLog',
  ],
  'envoy/admin/v3/config_dump_shared.proto': [
    'envoy.admin.v3.ClustersConfigDump',
    'envoy.admin.v3.ListenersConfigDump',
    'envoy.admin.v3.RoutesConfigDump',
    'envoy.admin.v3.EndpointsConfigDump',
  ],
};
const services = { 'envoy/service/discovery/v3/ads.proto': ['envoy.service.discovery.v3.AggregatedDiscoveryService'] };

/** Two messages with the same short name: which one is called what in TypeScript. */
const renamed = {
  'envoy.config.route.v3.CorsPolicy': 'LegacyCorsPolicy',
  'envoy.extensions.filters.http.rbac.v3.RBAC': 'HttpRbac',
  'envoy.extensions.filters.network.rbac.v3.RBAC': 'NetworkRbac',
  'envoy.config.core.v3.HttpProtocolOptions': 'CoreHttpProtocolOptions',
  'envoy.config.cluster.v3.Filter': 'ClusterFilter',
  'envoy.config.listener.v3.QuicProtocolOptions': 'ListenerQuicProtocolOptions',
  'envoy.config.core.v3.RetryPolicy': 'CoreRetryPolicy',
};

/** Messages that nothing here reads: fields of these types are left out and skipped when met on the wire. */
const leftOut = /^google\.api\.expr\./;

const scalars = ['double', 'float', 'int32', 'int64', 'uint32', 'uint64', 'sint32', 'sint64'].concat([
  'fixed32',
  'fixed64',
  'sfixed32',
  'sfixed64',
  'bool',
  'string',
  'bytes',
]);
const wrappers = {
  'google.protobuf.DoubleValue': 'double',
  'google.protobuf.FloatValue': 'float',
  'google.protobuf.Int64Value': 'int64',
  'google.protobuf.UInt64Value': 'uint64',
  'google.protobuf.Int32Value': 'int32',
  'google.protobuf.UInt32Value': 'uint32',
  'google.protobuf.BoolValue': 'bool',
  'google.protobuf.StringValue': 'string',
  'google.protobuf.BytesValue': 'bytes',
};
const json = {
  'google.protobuf.Struct': 'struct',
  'google.protobuf.Value': 'value',
  'google.protobuf.ListValue': 'list',
};
const jsonTypes = { struct: 'JsonObject', value: 'JsonValue', list: 'JsonValue[]' };
const tsScalar = (type) =>
  type === 'bool' ? 'boolean' : type === 'string' ? 'string' : type === 'bytes' ? 'Uint8Array' : 'number';

function tsName(fullName) {
  if (renamed[fullName]) return renamed[fullName];
  const parts = fullName.split('.');
  const at = parts.findIndex((part) => /^[A-Z]/.test(part));
  const outer = parts.slice(0, at + 1).join('.');
  const head = renamed[outer] ?? (fullName.startsWith('xds.') ? `Xds${parts[at]}` : parts[at]);
  return [head, ...parts.slice(at + 1)].join('_');
}

async function loadRoot(deps) {
  const { default: protobuf } = await import('protobufjs');
  const root = new protobuf.Root();
  // Annotations only carry options, which we do not use; leaving them out halves the work.
  root.resolvePath = (_origin, target) => {
    if (/annotations|^validate\//.test(target)) return null;
    const found = deps.map((dir) => join(dir, target)).find((path) => existsSync(path));
    return found ?? (target.startsWith('google/protobuf/') ? target : null);
  };
  root.loadSync(Object.keys(roots), { keepCase: true });
  root.resolveAll();
  return { root, protobuf };
}

/** Every message and enum reachable from the roots, by full name. */
function reach({ root, protobuf }) {
  const messages = new Map();
  const enums = new Map();
  const waiting = Object.values(roots)
    .flat()
    .map((name) => root.lookupType(name));
  for (const type of waiting) {
    const name = type.fullName.slice(1);
    if (messages.has(name)) continue;
    messages.set(name, type);
    for (const field of type.fieldsArray) {
      const target = field.resolve().resolvedType;
      const targetName = target?.fullName.slice(1);
      if (!target || wrappers[targetName] || json[targetName] || leftOut.test(targetName)) continue;
      if (target instanceof protobuf.Type) waiting.push(target);
      else enums.set(targetName, target);
    }
  }
  return { messages, enums };
}

/** What one field is: its type code and, for messages and enums, the full name it refers to. */
function describe(field) {
  const target = field.resolvedType?.fullName.slice(1);
  const flags = {
    repeated: field.repeated,
    map: field.map,
    // In proto3 a oneof's member is present even at its default.
    explicit: Boolean(field.partOf) || Boolean(field.options?.proto3_optional),
  };
  if (!target) return { ...flags, type: field.type, ts: tsScalar(field.type) };
  if (leftOut.test(target)) return undefined;
  if (wrappers[target]) return { ...flags, type: wrappers[target], wrapped: true, ts: tsScalar(wrappers[target]) };
  if (json[target]) return { ...flags, type: json[target], ts: jsonTypes[json[target]] };
  const type = field.resolvedType.values ? 'enum' : 'message';
  return { ...flags, type, ref: target, ts: tsName(target) };
}

/** Numbers for the table's type column; src/codec/schema.ts has the same list. */
const typeCodes = [...scalars, 'enum', 'message', 'struct', 'value', 'list'];

function fieldRow(field, refs) {
  const about = describe(field);
  if (!about) return undefined;
  if (about.map && field.keyType !== 'string')
    throw new Error(`${field.fullName}: only maps with string keys are known`);
  const flags = (about.repeated ? 1 : 0) | (about.map ? 2 : 0) | (about.explicit ? 4 : 0) | (about.wrapped ? 8 : 0);
  const row = [field.name, field.id, typeCodes.indexOf(about.type), flags];
  if (about.ref) row.push(refs.get(about.ref));
  return row;
}

function tableSource({ messages, enums }) {
  const names = [...messages.keys()];
  const enumNames = [...enums.keys()];
  const refs = new Map([...names.map((name, i) => [name, i]), ...enumNames.map((name, i) => [name, i])]);
  const rows = names.map((name) => [
    name,
    [...messages.get(name).fieldsArray]
      .sort((a, b) => a.id - b.id)
      .map((field) => fieldRow(field, refs))
      .filter(Boolean),
  ]);
  const enumRows = enumNames.map((name) => [name, { ...enums.get(name).values }]);
  const text = JSON.stringify({ messages: rows, enums: enumRows });
  return `/** Fields by message and values by enum, as JSON: parsing it is faster than evaluating it. */\nexport const tableText =\n  '${text}';\n`;
}

function interfaceSource(name, type) {
  const lines = [];
  for (const field of type.fieldsArray) {
    const about = describe(field);
    if (!about) continue;
    const ts = about.map ? `Record<string, ${about.ts}>` : about.repeated ? `${about.ts}[]` : about.ts;
    lines.push(`  ${field.name}?: ${ts};`);
  }
  return lines.length > 0
    ? `/** ${name} */\nexport interface ${tsName(name)} {\n${lines.join('\n')}\n}`
    : `/** ${name} */\nexport type ${tsName(name)} = Record<string, never>;`;
}

function typesSource({ messages, enums }) {
  const seen = new Map();
  for (const name of [...messages.keys(), ...enums.keys()]) {
    const short = tsName(name);
    if (seen.has(short))
      throw new Error(`xds: ${name} and ${seen.get(short)} are both called ${short}: add to \`renamed\``);
    seen.set(short, name);
  }
  const parts = [];
  for (const [name, type] of messages) parts.push(interfaceSource(name, type));
  for (const [name, type] of enums) {
    const values = Object.keys(type.values)
      .map((value) => `'${value}'`)
      .join(' | ');
    parts.push(`/** ${name} */\nexport type ${tsName(name)} = ${values};`);
  }
  const entries = [...messages.keys()].map((name) => `  '${name}': ${tsName(name)};`);
  parts.push(
    `/** Every message of the table by its full protobuf name. */\nexport interface Messages {\n${entries.join('\n')}\n}`,
  );
  const used = ['JsonObject', 'JsonValue'].filter((name) =>
    parts.some((part) => new RegExp(`\\b${name}\\b`).test(part)),
  );
  return `import type { ${used.join(', ')} } from '../codec/json-value.js';\n\n${parts.join('\n\n')}\n`;
}

/** Paths and streaming of the services, taken from what @grpc/proto-loader makes of the protos. */
async function servicesSource(deps) {
  const { loadSync } = await import('@grpc/proto-loader');
  const loaded = loadSync(Object.keys(services), { keepCase: true, includeDirs: deps });
  const parts = [];
  for (const name of Object.values(services).flat()) {
    const methods = Object.entries(loaded[name]).map(([method, definition]) => {
      const type = (message) => `${name.slice(0, name.lastIndexOf('.'))}.${message.type.name}`;
      return `  ${method}: {
    path: '${definition.path}',
    requestStream: ${definition.requestStream},
    responseStream: ${definition.responseStream},
    requestType: '${type(definition.requestType)}',
    responseType: '${type(definition.responseType)}',
  },`;
    });
    const short = name.slice(name.lastIndexOf('.') + 1);
    parts.push(`/** ${name} */\nexport const ${short} = {\n${methods.join('\n')}\n} as const;`);
  }
  return `${parts.join('\n\n')}\n`;
}

/** Several builds may run at once in one working tree: a reader never sees half a file. */
function writeWhole(path, text) {
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, text);
  renameSync(temporary, path);
}

/** Called by the build before anything is compiled. */
export async function generate({ root, quiet }) {
  const outDir = join(here, 'src', 'gen');
  const packageFile = createRequire(join(root, 'package.json')).resolve('@grpc/grpc-js-xds/package.json');
  const inputs = [fileURLToPath(import.meta.url), packageFile].map((path) => readFileSync(path));
  const hash = createHash('sha256').update(Buffer.concat(inputs)).digest('hex').slice(0, 16);
  const head = `// Generated by packages/xds/generate.mjs; inputs ${hash}. Do not edit.\n`;
  const fresh = (file) => existsSync(join(outDir, file)) && readFileSync(join(outDir, file), 'utf8').startsWith(head);
  if (outputs.every(fresh)) return;

  const depsDir = join(dirname(packageFile), 'deps');
  const deps = ['envoy-api', 'xds', 'googleapis', 'protoc-gen-validate'].map((dir) => join(depsDir, dir));
  const found = reach(await loadRoot(deps));
  mkdirSync(outDir, { recursive: true });
  writeWhole(join(outDir, 'types.ts'), head + typesSource(found));
  writeWhole(join(outDir, 'services.ts'), head + (await servicesSource(deps)));
  writeWhole(join(outDir, 'table.ts'), head + tableSource(found));
  if (!quiet) console.log(`xds: ${found.messages.size} messages, ${found.enums.size} enums`);
}
