import fc from 'fast-check';
import type { JsonObject, JsonValue } from '../json.js';
import type { FieldSchema, MessageSchema } from '../types.js';

/** Random objects of a type, in JSON form but not canonical: what a client might send. For tests. */
export function arbitraryOf(schema: MessageSchema, depth = 5): fc.Arbitrary<JsonValue> {
  switch (schema.form) {
    case 'struct':
      return structOf(schema, depth);
    case 'list':
      return fc.array(elementOf(schema.fields[0]!, depth), { maxLength: 2 });
    case 'time':
      return instant.map((date) => `${date.toISOString().slice(0, 19)}Z`);
    case 'microTime':
      return instant.map((date) => `${date.toISOString().slice(0, 23)}000Z`);
    case 'duration':
      return fc.constantFrom('0s', '1h2m3.5s', '150ms', '-5m');
    case 'quantity':
      return fc.constantFrom('0', '100m', '1.5', '64Mi', '1024Ki', '1e3', '2500m');
    case 'intOrString':
      return fc.oneof(fc.integer({ min: 0, max: 65_535 }), fc.constantFrom('http', '25%', ''));
    case 'json':
      return fc.constantFrom<JsonValue[]>({ a: [1, 'x', null] }, 'text', 7, {}, []);
  }
}

const instant = fc.date({ min: new Date('1970-01-01'), max: new Date('2100-01-01'), noInvalidDate: true });

function structOf(schema: MessageSchema, depth: number): fc.Arbitrary<JsonObject> {
  // Protobuf has apiVersion and kind in its envelope, so they are left out here.
  const declared = [...schema.properties.values()].filter((field) => field.number > 0);
  const fields = declared.filter((field) => depth > 0 || field.type !== 'message');
  const entries = fields.map((field): [string, fc.Arbitrary<JsonValue>] => [field.name, fieldOf(field, depth - 1)]);
  return fc.record<JsonObject>(Object.fromEntries(entries), { requiredKeys: [], noNullPrototype: true });
}

function fieldOf(field: FieldSchema, depth: number): fc.Arbitrary<JsonValue> {
  const element = elementOf(field, depth);
  if (field.cardinality === 'list') return fc.array(element, { maxLength: 2 });
  if (field.cardinality === 'map') return fc.dictionary(fc.string({ maxLength: 4 }), element, { maxKeys: 2 });
  return element;
}

function elementOf(field: FieldSchema, depth: number): fc.Arbitrary<JsonValue> {
  switch (field.type) {
    case 'message':
      return fc.constant(null).chain(() => arbitraryOf(field.message!, depth));
    case 'string':
      return fc.string({ maxLength: 6, unit: 'binary' });
    case 'bool':
      return fc.boolean();
    case 'int32':
      return fc.integer();
    case 'int64':
      return fc.maxSafeInteger();
    case 'double':
      return fc.double({ noNaN: true, noDefaultInfinity: true }).map((x) => x + 0);
    case 'bytes':
      return fc.uint8Array({ maxLength: 5 }).map((bytes) => Buffer.from(bytes).toString('base64'));
  }
}
