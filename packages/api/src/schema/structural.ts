import { type FieldError, fieldErrors } from '../errors.js';
import { pathText } from './decode-json.js';
import { isJsonObject, type JsonValue } from './json.js';
import type { FieldSchema, MessageSchema } from './types.js';

type Path = readonly (string | number)[];

/**
 * What a custom resource gets wrong against its schema: types, missing required fields, values outside an enumeration or
 * a range, worded as apiextensions does. decodeJson leaves these as they are, since upstream answers them with 422, not
 * 400. Parts that are not custom, such as metadata, are not looked at: decodeJson has checked them.
 */
export function structuralErrors(schema: MessageSchema, object: object): FieldError[] {
  return schema.custom ? messageErrors(schema, object as JsonValue, []) : [];
}

function messageErrors(schema: MessageSchema, value: JsonValue, path: Path): FieldError[] {
  if (!isJsonObject(value)) return [wrongType(path, 'object', value)];
  const errors: FieldError[] = [];
  for (const field of schema.properties.values()) {
    const member = value[field.name];
    const at = [...path, field.name];
    if (member !== undefined && member !== null) errors.push(...fieldErrorsOf(field, member, at));
    else if (field.required) errors.push(fieldErrors.required(pathText(at)));
  }
  return errors;
}

function fieldErrorsOf(field: FieldSchema, value: JsonValue, path: Path): FieldError[] {
  if (field.cardinality === 'list') {
    if (!Array.isArray(value)) return [wrongType(path, 'array', value)];
    return value.flatMap((item, i) => valueErrors(field, item, [...path, i]));
  }
  if (field.cardinality === 'map') {
    if (!isJsonObject(value)) return [wrongType(path, 'object', value)];
    return Object.entries(value).flatMap(([key, item]) => valueErrors(field, item, [...path, key]));
  }
  return valueErrors(field, value, path);
}

function valueErrors(field: FieldSchema, value: JsonValue, path: Path): FieldError[] {
  const message = field.message;
  if (message !== undefined)
    return message.custom && message.form === 'struct' ? messageErrors(message, value, path) : [];
  const expected = jsonTypes[field.type];
  const actual = typeName(value);
  if (actual !== expected && !(expected === 'number' && actual === 'integer'))
    return [wrongType(path, expected, value)];
  if (typeof value === 'number') return rangeErrors(field, value, path);
  if (typeof value !== 'string' || field.values === undefined || field.open || field.values.includes(value)) return [];
  return [fieldErrors.notSupported(pathText(path), value, field.values)];
}

function rangeErrors({ minimum, maximum }: FieldSchema, value: number, path: Path): FieldError[] {
  const text = pathText(path);
  if (minimum !== undefined && value < minimum) {
    return [fieldErrors.invalid(text, value, `${text} in body should be greater than or equal to ${minimum}`)];
  }
  if (maximum !== undefined && value > maximum) {
    return [fieldErrors.invalid(text, value, `${text} in body should be less than or equal to ${maximum}`)];
  }
  return [];
}

const jsonTypes: Record<FieldSchema['type'], string> = {
  string: 'string',
  bytes: 'string',
  bool: 'boolean',
  int32: 'integer',
  int64: 'integer',
  double: 'number',
  message: 'object',
};

function typeName(value: JsonValue): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

function wrongType(path: Path, expected: string, value: JsonValue): FieldError {
  const text = pathText(path);
  const actual = typeName(value);
  return fieldErrors.typeInvalid(text, actual, `${text} in body must be of type ${expected}: "${actual}"`);
}
