import type { JsonValue } from './json.js';

/** How one value is written, apart from lists and maps of it. A `message` is described by its own schema. */
export type FieldType = 'string' | 'bool' | 'int32' | 'int64' | 'double' | 'bytes' | 'message';

/**
 * The form of a message in JSON. All but `struct` and `list` are single values whose protobuf form is a small message;
 * `list` is a named list: an array in JSON, a message with `items` in protobuf.
 */
export type MessageForm = 'struct' | 'list' | 'time' | 'microTime' | 'duration' | 'quantity' | 'intOrString' | 'json';

/**
 * A node of the schema graph: what a kind, or a part of one, looks like. Everything about a type hangs here: both
 * codecs, OpenAPI, merge keys. Built lazily from the generated tables, or at run time (`messageSchema`).
 */
export interface MessageSchema {
  /** Go's and OpenAPI's short name: `ServicePort`. */
  readonly name: string;
  /** The name in OpenAPI: `io.k8s.api.core.v1.ServicePort`. */
  readonly schemaName: string;
  readonly form: MessageForm;
  /** The group and version (`apps/v1`, `/v1` for core) when JSON carries `apiVersion` and `kind`. */
  readonly kindOf: string | undefined;
  /** Handled like a custom resource: values stay as they were given, nothing is filled in. */
  readonly custom: boolean;
  /** Unknown JSON fields are kept. */
  readonly preserveUnknown: boolean;
  /** Server-side apply treats the object as one value. */
  readonly atomic: boolean;
  /** In order of declaration, inlined messages as one field each: what protobuf sees. */
  readonly fields: readonly FieldSchema[];
  /** By JSON name, with the fields of inlined messages in place: what JSON sees. */
  readonly properties: ReadonlyMap<string, FieldSchema>;
  /** The key into the generated documentation; undefined for schemas built at run time. */
  readonly docKey: string | undefined;
}

export interface FieldSchema {
  /** The JSON name. */
  readonly name: string;
  /** The protobuf field number; 0 when the field is JSON only. */
  readonly number: number;
  readonly type: FieldType;
  /** Of `type` message; resolved on first use. */
  readonly message: MessageSchema | undefined;
  readonly cardinality: 'single' | 'list' | 'map';
  /** The message's fields appear in JSON among the outer message's own. */
  readonly inline: boolean;
  /** Go has a pointer: absent differs from zero. */
  readonly pointer: boolean;
  /** OpenAPI lists it as required. */
  readonly required: boolean;
  /** JSON has it even when it is empty. */
  readonly always: boolean;
  /** A struct or time that JSON leaves out when it is zero. */
  readonly omitZero: boolean;
  /** Go's name of a named string: `v1.Protocol`. */
  readonly stringType: string | undefined;
  /** The values a named string knows; when `open`, others are accepted too. */
  readonly values: readonly string[] | undefined;
  readonly open: boolean;
  /** Of strategic merge patches: any of `merge`, `replace`, `retainKeys`. */
  readonly patchStrategy: readonly string[];
  readonly mergeKey: string | undefined;
  readonly listType: 'atomic' | 'set' | 'map' | undefined;
  readonly listMapKeys: readonly string[];
  readonly mapType: 'atomic' | 'granular' | undefined;
  readonly default: JsonValue | undefined;
  /** As in a message. */
  readonly docKey: string | undefined;
  readonly minimum: number | undefined;
  readonly maximum: number | undefined;
}
