import { tableText } from '../gen/table.js';
import type { Messages } from '../gen/types.js';
import { WireError } from './errors.js';

/** The full protobuf name of a message that this codec knows. */
export type MessageName = keyof Messages;

/** Type codes of the generated table; generate.mjs has the same order. */
export const enum Type {
  double,
  float,
  int32,
  int64,
  uint32,
  uint64,
  sint32,
  sint64,
  fixed32,
  fixed64,
  sfixed32,
  sfixed64,
  bool,
  string,
  bytes,
  enum,
  message,
  struct,
  value,
  list,
}

export interface FieldType {
  readonly name: string;
  readonly number: number;
  readonly type: Type;
  readonly repeated: boolean;
  /** map<string, …>: a JavaScript object. */
  readonly map: boolean;
  /** Written even at its default: a member of a oneof. */
  readonly explicit: boolean;
  /** google.protobuf.BoolValue and its kin: the plain value here, absent when the wrapper is. */
  readonly wrapped: boolean;
  /** Of a message field. */
  readonly message: MessageType | undefined;
  readonly enum: EnumType | undefined;
}

export interface MessageType {
  readonly name: string;
  /** In order of field numbers, so that equal messages have equal bytes. */
  readonly fields: readonly FieldType[];
  readonly byNumber: ReadonlyMap<number, FieldType>;
}

export interface EnumType {
  readonly numbers: ReadonlyMap<string, number>;
  readonly names: ReadonlyMap<number, string>;
  /** The name of value 0. */
  readonly zero: string;
}

/** Whether a value of the type is a number on the wire, so that a repeated one is packed. */
export function isNumeric(type: Type): boolean {
  return type <= Type.bool || type === Type.enum;
}

/** Whether proto3 leaves the value out of the wire where presence is not tracked. */
export function isDefault(field: FieldType, value: unknown): boolean {
  if (field.type === Type.enum) return value === field.enum!.zero;
  if (field.type === Type.bytes) return (value as Uint8Array).length === 0;
  return value === 0 || value === '' || value === false;
}

type Row = [name: string, number: number, type: Type, flags: number, ref?: number];
interface Table {
  messages: [string, Row[]][];
  enums: [string, Record<string, number>][];
}

let table: Table | undefined;
let indexes: Map<string, number> | undefined;
const messages: (MessageType | undefined)[] = [];
const enums: (EnumType | undefined)[] = [];

function loadTable(): Table {
  table ??= JSON.parse(tableText) as Table;
  return table;
}

function enumAt(index: number): EnumType {
  const known = enums[index];
  if (known) return known;
  const entries = Object.entries(loadTable().enums[index]![1]);
  const names = new Map<number, string>();
  // With aliases the first name wins.
  for (const [name, number] of entries) if (!names.has(number)) names.set(number, name);
  return (enums[index] = { numbers: new Map(entries), names, zero: names.get(0) ?? '' });
}

/** A field whose message type is looked up when it is first needed: most processes meet a tenth of the types. */
class LazyField implements FieldType {
  readonly name: string;
  readonly number: number;
  readonly type: Type;
  readonly repeated: boolean;
  readonly map: boolean;
  readonly explicit: boolean;
  readonly wrapped: boolean;
  readonly #ref: number;

  constructor([name, number, type, flags, ref]: Row) {
    this.name = name;
    this.number = number;
    this.type = type;
    this.repeated = (flags & 1) !== 0;
    this.map = (flags & 2) !== 0;
    this.explicit = (flags & 4) !== 0;
    this.wrapped = (flags & 8) !== 0;
    this.#ref = ref ?? -1;
  }

  get message(): MessageType | undefined {
    return this.type === Type.message ? messageAt(this.#ref) : undefined;
  }

  get enum(): EnumType | undefined {
    return this.type === Type.enum ? enumAt(this.#ref) : undefined;
  }
}

function messageAt(index: number): MessageType {
  const known = messages[index];
  if (known) return known;
  const [name, rows] = loadTable().messages[index]!;
  const fields = rows.map((row) => new LazyField(row));
  return (messages[index] = { name, fields, byNumber: new Map(fields.map((field) => [field.number, field])) });
}

/** The type of a full protobuf name, or undefined when the table does not have it. */
export function findMessage(name: string): MessageType | undefined {
  indexes ??= new Map(loadTable().messages.map(([known], index) => [known, index]));
  const index = indexes.get(name);
  return index === undefined ? undefined : messageAt(index);
}

export function messageType(name: MessageName): MessageType {
  const type = findMessage(name);
  if (!type) throw new WireError(`no message ${name} in the table`);
  return type;
}
