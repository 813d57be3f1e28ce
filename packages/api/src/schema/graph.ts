import type { JsonValue } from './json.js';
import type { FieldSchema, FieldType, MessageForm, MessageSchema } from './types.js';

/** A message to build: the fields may refer to messages that do not exist yet, so they come from a function. */
export interface MessageSpec extends Partial<Omit<MessageSchema, 'fields' | 'properties'>> {
  readonly name: string;
  readonly fields: () => readonly FieldSchema[];
}

/** A field to build: all but name and type have the value that is most usual. */
export interface FieldSpec extends Partial<Omit<FieldSchema, 'message'>> {
  readonly name: string;
  readonly type: FieldType;
  /** Called once, on first use, so that graphs may have cycles. */
  readonly message?: () => MessageSchema;
}

export function messageSchema(spec: MessageSpec): MessageSchema {
  return new LazyMessage(spec);
}

export function fieldSchema(spec: FieldSpec): FieldSchema {
  return new LazyField(spec);
}

class LazyMessage implements MessageSchema {
  readonly name: string;
  readonly schemaName: string;
  readonly form: MessageForm;
  readonly kindOf: string | undefined;
  readonly custom: boolean;
  readonly preserveUnknown: boolean;
  readonly atomic: boolean;
  readonly docKey: string | undefined;
  readonly #build: () => readonly FieldSchema[];
  #fields: readonly FieldSchema[] | undefined;
  #properties: ReadonlyMap<string, FieldSchema> | undefined;

  constructor(spec: MessageSpec) {
    this.name = spec.name;
    this.schemaName = spec.schemaName ?? spec.name;
    this.form = spec.form ?? 'struct';
    this.kindOf = spec.kindOf;
    this.custom = spec.custom ?? false;
    this.preserveUnknown = spec.preserveUnknown ?? false;
    this.atomic = spec.atomic ?? false;
    this.docKey = spec.docKey;
    this.#build = spec.fields;
  }

  get fields(): readonly FieldSchema[] {
    this.#fields ??= this.#build();
    return this.#fields;
  }

  get properties(): ReadonlyMap<string, FieldSchema> {
    this.#properties ??= new Map(jsonFields(this).map((field) => [field.name, field]));
    return this.#properties;
  }
}

class LazyField implements FieldSchema {
  readonly name: string;
  readonly number: number;
  readonly type: FieldType;
  readonly cardinality: 'single' | 'list' | 'map';
  readonly inline: boolean;
  readonly pointer: boolean;
  readonly required: boolean;
  readonly always: boolean;
  readonly omitZero: boolean;
  readonly stringType: string | undefined;
  readonly values: readonly string[] | undefined;
  readonly open: boolean;
  readonly patchStrategy: readonly string[];
  readonly mergeKey: string | undefined;
  readonly listType: 'atomic' | 'set' | 'map' | undefined;
  readonly listMapKeys: readonly string[];
  readonly mapType: 'atomic' | 'granular' | undefined;
  readonly default: JsonValue | undefined;
  readonly docKey: string | undefined;
  readonly minimum: number | undefined;
  readonly maximum: number | undefined;
  readonly #resolve: (() => MessageSchema) | undefined;
  #message: MessageSchema | undefined;

  constructor(spec: FieldSpec) {
    this.name = spec.name;
    this.number = spec.number ?? 0;
    this.type = spec.type;
    this.cardinality = spec.cardinality ?? 'single';
    this.inline = spec.inline ?? false;
    this.pointer = spec.pointer ?? false;
    this.required = spec.required ?? false;
    this.always = spec.always ?? false;
    this.omitZero = spec.omitZero ?? false;
    this.stringType = spec.stringType;
    this.values = spec.values;
    this.open = spec.open ?? false;
    this.patchStrategy = spec.patchStrategy ?? [];
    this.mergeKey = spec.mergeKey;
    this.listType = spec.listType;
    this.listMapKeys = spec.listMapKeys ?? [];
    this.mapType = spec.mapType;
    this.default = spec.default;
    this.docKey = spec.docKey;
    this.minimum = spec.minimum;
    this.maximum = spec.maximum;
    this.#resolve = spec.message;
  }

  get message(): MessageSchema | undefined {
    this.#message ??= this.#resolve?.();
    return this.#message;
  }
}

const typeMeta = ['kind', 'apiVersion'].map((name) => fieldSchema({ name, type: 'string' }));

/** Go marshals an embedded struct's fields where it stands; TypeMeta is embedded first in every kind. */
function jsonFields(message: MessageSchema): FieldSchema[] {
  const own = message.fields.flatMap((field) => {
    return field.inline && field.message !== undefined ? [...field.message.properties.values()] : [field];
  });
  return message.kindOf === undefined ? own : [...typeMeta, ...own];
}
