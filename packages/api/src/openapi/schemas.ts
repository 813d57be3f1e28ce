import { docs } from '../gen/docs.js';
import type { JsonObject, JsonValue } from '../schema/json.js';
import type { FieldSchema, MessageSchema } from '../schema/types.js';

const prefix = '#/components/schemas/';

export function refTo(schema: MessageSchema): JsonObject {
  return { $ref: prefix + schema.schemaName };
}

/** Gathers the schemas of a document: each message that is asked for, and all that it refers to. */
export class Components {
  readonly #schemas = new Map<string, JsonValue>();

  /** The reference to a message, whose schema is then part of the document. */
  ref(schema: MessageSchema): JsonObject {
    this.add(schema, []);
    return refTo(schema);
  }

  /** `kinds` are the `{group, version, kind}` under which the message is served. */
  add(schema: MessageSchema, kinds: readonly JsonObject[]): void {
    const known = this.#schemas.has(schema.schemaName);
    if (known && kinds.length === 0) return;
    this.#schemas.set(schema.schemaName, {});
    const built = this.#build(schema);
    if (kinds.length > 0) built['x-kubernetes-group-version-kind'] = [...kinds];
    this.#schemas.set(schema.schemaName, built);
  }

  toJson(): JsonObject {
    return Object.fromEntries([...this.#schemas].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  #build(schema: MessageSchema): JsonObject {
    const description = describe(schema.docKey);
    switch (schema.form) {
      case 'struct':
        return { ...description, ...this.#struct(schema) };
      case 'list':
        return { ...description, ...this.#field(schema.fields[0]!) };
      case 'time':
      case 'microTime':
        return { ...description, type: 'string', format: 'date-time' };
      case 'duration':
        return { ...description, type: 'string' };
      case 'quantity':
        return { ...description, oneOf: [{ type: 'string' }, { type: 'number' }] };
      case 'intOrString':
        return { ...description, format: 'int-or-string', oneOf: [{ type: 'integer' }, { type: 'string' }] };
      case 'json':
        return { ...description, type: 'object' };
    }
  }

  #struct(schema: MessageSchema): JsonObject {
    const fields = [...schema.properties.values()];
    const properties = fields.map((field): [string, JsonValue] => [field.name, this.#field(field)]);
    const required = fields.filter((field) => field.required).map((field) => field.name);
    return {
      type: 'object',
      ...(properties.length > 0 ? { properties: Object.fromEntries(properties) } : {}),
      ...(required.length > 0 ? { required } : {}),
      ...(schema.atomic ? { 'x-kubernetes-map-type': 'atomic' } : {}),
      ...(schema.preserveUnknown ? { 'x-kubernetes-preserve-unknown-fields': true } : {}),
    };
  }

  #field(field: FieldSchema): JsonObject {
    const element = this.#element(field);
    const described = { ...describe(field.docKey), ...defaultOf(field), ...extensionsOf(field) };
    if (field.cardinality === 'list') return { ...described, type: 'array', items: element };
    if (field.cardinality === 'map') return { ...described, type: 'object', additionalProperties: element };
    // Beside a $ref nothing else counts, so a field that has more to say wraps it.
    if (element['$ref'] === undefined || Object.keys(described).length === 0) return { ...described, ...element };
    return { ...described, allOf: [element] };
  }

  #element(field: FieldSchema): JsonObject {
    if (field.message !== undefined) return this.ref(field.message);
    const leaf: JsonObject = { ...scalars[field.type] };
    if (field.values !== undefined && !field.open) leaf['enum'] = [...field.values];
    if (field.minimum !== undefined) leaf['minimum'] = field.minimum;
    if (field.maximum !== undefined) leaf['maximum'] = field.maximum;
    return leaf;
  }
}

const scalars: Record<FieldSchema['type'], JsonObject> = {
  string: { type: 'string' },
  bool: { type: 'boolean' },
  int32: { type: 'integer', format: 'int32' },
  int64: { type: 'integer', format: 'int64' },
  double: { type: 'number', format: 'double' },
  bytes: { type: 'string', format: 'byte' },
  message: { type: 'object' },
};

function describe(docKey: string | undefined): JsonObject {
  const description = docKey === undefined ? undefined : docs[docKey];
  return description === undefined ? {} : { description };
}

function defaultOf(field: FieldSchema): JsonObject {
  return field.default === undefined ? {} : { default: field.default };
}

/** What patches and server-side apply need to know, as kube-openapi names it. */
function extensionsOf(field: FieldSchema): JsonObject {
  return {
    ...(field.listType ? { 'x-kubernetes-list-type': field.listType } : {}),
    ...(field.listMapKeys.length > 0 ? { 'x-kubernetes-list-map-keys': [...field.listMapKeys] } : {}),
    ...(field.mapType ? { 'x-kubernetes-map-type': field.mapType } : {}),
    ...(field.patchStrategy.length > 0 ? { 'x-kubernetes-patch-strategy': field.patchStrategy.join(',') } : {}),
    ...(field.mergeKey ? { 'x-kubernetes-patch-merge-key': field.mergeKey } : {}),
  };
}
