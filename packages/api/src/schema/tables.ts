import { NamedError } from '@flotilla/base';
import { strings, tables } from '../gen/tables.js';
import { fieldSchema, messageSchema } from './graph.js';
import type { FieldSchema, FieldType, MessageForm, MessageSchema } from './types.js';

export class UnknownSchemaError extends NamedError {
  constructor(id: string) {
    super('UnknownSchema', `no schema is declared as ${id}`);
  }
}

const built = new Map<string, MessageSchema>();

/**
 * The schema declared in proto/ as `<module>.<Message>`: `core.Pod`, `meta.Status`, `istio.Gateway`. A message's table is
 * read when it is first asked for, its fields when they are: a process pays for the kinds it touches.
 */
export function schemaOf(id: string): MessageSchema {
  const known = built.get(id);
  if (known !== undefined) return known;
  const table = tables[id];
  if (table === undefined) throw new UnknownSchemaError(id);
  const message = readMessage(id, table);
  built.set(id, message);
  return message;
}

/** The ids of all declared messages. */
export function schemaIds(): string[] {
  return Object.keys(tables);
}

/** See messageLine and fieldLine in generate.mjs for the notation. */
function readMessage(id: string, table: string): MessageSchema {
  const [head = '', ...lines] = table.split('\n');
  const [schemaName = id, ...words] = head.split(' ');
  const pairs = pairsOf(words);
  return messageSchema({
    name: id.slice(id.indexOf('.') + 1),
    schemaName,
    form: (pairs.get('form') ?? 'struct') as MessageForm,
    kindOf: pairs.get('kind'),
    custom: pairs.has('custom'),
    preserveUnknown: pairs.has('preserve'),
    atomic: pairs.get('struct') === 'atomic',
    docKey: id,
    fields: () => lines.map((line) => readField(id, line)),
  });
}

function readField(owner: string, line: string): FieldSchema {
  const [name = '', number = '0', typeText = '', flags = '-', ...words] = line.split(' ');
  const cardinality = typeText.startsWith('*') ? 'list' : typeText.startsWith('%') ? 'map' : 'single';
  const type = cardinality === 'single' ? typeText : typeText.slice(1);
  const pairs = pairsOf(words);
  const stringId = pairs.get('is');
  const named = stringId === undefined ? undefined : strings[stringId];
  const fallback = pairs.get('default');
  return fieldSchema({
    name,
    number: Number(number),
    type: type.includes('.') ? 'message' : (type as FieldType),
    cardinality,
    inline: flags.includes('i'),
    pointer: flags.includes('p'),
    required: flags.includes('r'),
    always: flags.includes('a'),
    omitZero: flags.includes('z'),
    stringType: stringId === undefined ? undefined : goName(stringId),
    values: named?.replace(/^\?/, '').split('|'),
    open: named === undefined || named.startsWith('?'),
    patchStrategy: pairs.get('patch')?.split(',') ?? [],
    mergeKey: pairs.get('key'),
    listType: pairs.get('list') as FieldSchema['listType'],
    listMapKeys: pairs.get('keys')?.split(',') ?? [],
    mapType: pairs.get('map') as FieldSchema['mapType'],
    default: fallback === undefined ? undefined : JSON.parse(decodeURIComponent(fallback)),
    docKey: `${owner}.${name}`,
    minimum: numberOf(pairs.get('min')),
    maximum: numberOf(pairs.get('max')),
    ...(type.includes('.') ? { message: () => schemaOf(type) } : {}),
  });
}

/** `core.Protocol` is `v1.Protocol` in Go, `autoscalingV2.X` is `v2.X`. */
function goName(id: string): string {
  const [module = '', name = ''] = id.split('.');
  return `v${/V(\w+)$/.exec(module)?.[1] ?? '1'}.${name}`;
}

function numberOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}

function pairsOf(words: readonly string[]): Map<string, string> {
  return new Map(
    words.map((word) => {
      const at = word.indexOf('=');
      return at < 0 ? [word, ''] : [word.slice(0, at), word.slice(at + 1)];
    }),
  );
}
