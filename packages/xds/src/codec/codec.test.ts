import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import test from 'ava';
import { loadSync, type MessageTypeDefinition } from '@grpc/proto-loader';
import * as fc from 'fast-check';
import { decode, encode, pack, toEnvoyJson, typeUrlOf, unpack, WireError } from './index.js';
import type { MessageName } from './schema.js';
import { type FieldType, messageType, type MessageType, Type } from './schema.js';

// The oracle is @grpc/proto-loader (protobufjs) with the original protos: our bytes must mean the same to it.
const deps = join(dirname(createRequire(import.meta.url).resolve('@grpc/grpc-js-xds/package.json')), 'deps');
const oracle = loadSync(
  [
    'envoy/config/listener/v3/listener.proto',
    'envoy/config/route/v3/route.proto',
    'envoy/config/cluster/v3/cluster.proto',
    'envoy/config/endpoint/v3/endpoint.proto',
    'envoy/service/discovery/v3/discovery.proto',
  ],
  {
    keepCase: true,
    enums: String,
    longs: Number,
    includeDirs: ['envoy-api', 'xds', 'googleapis', 'protoc-gen-validate'].map((dir) => join(deps, dir)),
  },
);

function reference(name: string): MessageTypeDefinition<object, object> {
  const definition = oracle[name];
  if (!definition || !('format' in definition) || !('serialize' in definition)) throw new Error(`no ${name}`);
  return definition as MessageTypeDefinition<object, object>;
}

const text = fc.string({ unit: 'grapheme', maxLength: 12 });

function scalar(field: FieldType): fc.Arbitrary<unknown> {
  switch (field.type) {
    case Type.bool:
      return fc.boolean();
    case Type.string:
      return text;
    case Type.bytes:
      return fc.uint8Array({ maxLength: 8 });
    case Type.double:
      return fc.double({ noNaN: true });
    case Type.float:
      return fc.float({ noNaN: true });
    case Type.int32:
    case Type.sint32:
    case Type.sfixed32:
      return fc.integer();
    case Type.uint32:
    case Type.fixed32:
      return fc.nat(2 ** 31 - 1).map((n) => n * 2 + 1);
    case Type.int64:
    case Type.sint64:
    case Type.sfixed64:
      return fc.maxSafeInteger();
    case Type.enum:
      return fc.constantFrom(...field.enum!.numbers.keys());
    default:
      return fc.maxSafeNat();
  }
}

const json = fc
  .dictionary(fc.string({ minLength: 1, maxLength: 5 }), fc.jsonValue({ maxDepth: 2, noUnicodeString: true }), {
    maxKeys: 3,
  })
  .map((value) => JSON.parse(JSON.stringify(value).replaceAll('-0', '0')) as Record<string, unknown>);

function fieldArbitrary(field: FieldType, depth: number): fc.Arbitrary<unknown> {
  const one =
    field.type === Type.message
      ? messageArbitrary(field.message!, depth - 1)
      : field.type === Type.struct
        ? json
        : scalar(field);
  if (field.map)
    return fc.dictionary(fc.string({ maxLength: 4 }), one, { minKeys: 1, maxKeys: 3, noNullPrototype: true });
  return field.repeated ? fc.array(one, { minLength: 1, maxLength: 3 }) : one;
}

/** A few fields of a message at random, none at its proto3 default unless presence is explicit. */
function messageArbitrary(type: MessageType, depth: number): fc.Arbitrary<Record<string, unknown>> {
  const fields = type.fields.filter((field) => depth > 0 || field.type !== Type.message);
  // Only the fields that were drawn are looked into: the types refer to each other without end.
  return fc.subarray(fields, { maxLength: Math.min(4, fields.length) }).chain((some) =>
    fc
      .record(Object.fromEntries(some.map((field) => [field.name, fieldArbitrary(field, depth)])), {
        noNullPrototype: true,
      })
      .map((value) => withoutDefaults(type, value)),
  );
}

function withoutDefaults(type: MessageType, value: Record<string, unknown>): Record<string, unknown> {
  const kept = type.fields.filter((field) => {
    const present = value[field.name];
    if (present === undefined) return false;
    if (field.repeated || field.map || field.explicit || field.wrapped || field.type === Type.message) return true;
    if (field.type === Type.struct) return true;
    if (present instanceof Uint8Array) return present.length > 0;
    if (field.type === Type.enum) return present !== field.enum!.zero;
    return present !== 0 && !Object.is(present, -0) && present !== '' && present !== false;
  });
  return Object.fromEntries(kept.map((field) => [field.name, value[field.name]]));
}

const names = [
  'envoy.config.listener.v3.Listener',
  'envoy.config.route.v3.RouteConfiguration',
  'envoy.config.cluster.v3.Cluster',
  'envoy.config.endpoint.v3.ClusterLoadAssignment',
  'envoy.service.discovery.v3.DiscoveryRequest',
  'envoy.service.discovery.v3.DeltaDiscoveryRequest',
  'envoy.service.discovery.v3.DiscoveryResponse',
] as const satisfies readonly MessageName[];

for (const name of names) {
  test(`${name}: what is encoded is decoded again, and the oracle reads the same`, (t) => {
    const type = messageType(name);
    fc.assert(
      fc.property(messageArbitrary(type, 4), (value) => {
        const bytes = encode<MessageName>(name, value);
        t.deepEqual(decode<MessageName>(name, bytes) as object, value);
        t.deepEqual(
          encode<MessageName>(name, decode<MessageName>(name, bytes)),
          bytes,
          'equal messages have equal bytes',
        );
        // What protobufjs makes of our bytes, written by protobufjs, is the same message to us.
        const other = reference(name);
        t.deepEqual(decode<MessageName>(name, other.serialize(other.deserialize(Buffer.from(bytes)))) as object, value);
      }),
      { numRuns: 150 },
    );
  });
}

test('random bytes are either a message or a WireError', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      try {
        decode('envoy.config.listener.v3.Listener', bytes);
      } catch (error) {
        t.true(error instanceof WireError);
      }
    }),
    { numRuns: 2000 },
  );
  t.pass();
});

test('a field of the wrong kind is refused with its path', (t) => {
  const bad = { load_assignment: { endpoints: [{ priority: 'high' }] } } as object;
  const error = t.throws(() => encode('envoy.config.cluster.v3.Cluster', bad), { instanceOf: WireError });
  t.is(error?.message, 'envoy.config.cluster.v3.Cluster.load_assignment');
});

test('wrappers are plain values, present even when zero', (t) => {
  const cluster = { name: 'a', per_connection_buffer_limit_bytes: 0 };
  t.deepEqual(decode('envoy.config.cluster.v3.Cluster', encode('envoy.config.cluster.v3.Cluster', cluster)), cluster);
});

test('an Any is packed and unpacked by type', (t) => {
  const any = pack('envoy.extensions.filters.http.router.v3.Router', { suppress_envoy_headers: true });
  t.is(any.type_url, typeUrlOf('envoy.extensions.filters.http.router.v3.Router'));
  t.deepEqual(unpack('envoy.extensions.filters.http.router.v3.Router', any), { suppress_envoy_headers: true });
  t.is(unpack('envoy.extensions.filters.http.cors.v3.Cors', any), undefined);
});

test('config_dump JSON: original names, durations as text, Any expanded, unknown Any kept', (t) => {
  const json = toEnvoyJson('envoy.config.listener.v3.Listener', {
    name: 'l',
    listener_filters_timeout: { seconds: 1, nanos: 500_000_000 },
    per_connection_buffer_limit_bytes: 5,
    filter_chains: [
      {
        filters: [
          {
            name: 'tcp',
            typed_config: pack('envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy', {
              stat_prefix: 'x',
              cluster: 'c',
            }),
          },
          { name: 'other', typed_config: { type_url: 'type.googleapis.com/x.Y', value: new Uint8Array([1, 2]) } },
        ],
      },
    ],
  });
  t.deepEqual(json, {
    name: 'l',
    filter_chains: [
      {
        filters: [
          {
            name: 'tcp',
            typed_config: {
              '@type': 'type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy',
              stat_prefix: 'x',
              cluster: 'c',
            },
          },
          { name: 'other', typed_config: { '@type': 'type.googleapis.com/x.Y', value: 'AQI=' } },
        ],
      },
    ],
    per_connection_buffer_limit_bytes: 5,
    listener_filters_timeout: '1.500s',
  });
});
