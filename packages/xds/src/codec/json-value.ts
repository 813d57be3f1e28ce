/** What JSON can say; protobuf's Struct, Value and ListValue are decoded to these. */
export type JsonValue = string | number | boolean | null | JsonValue[] | JsonObject;
export interface JsonObject {
  [key: string]: JsonValue;
}
