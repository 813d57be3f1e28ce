import { pathText } from './decode-json.js';
import type { FieldSchema, MessageSchema } from './types.js';

/**
 * Finds members that a JSON text gives twice in one object, in upstream's words: `duplicate field "spec.replicas"`.
 * `JSON.parse` silently keeps the last one, so this reads the text again. With a schema only declared fields count, as
 * Go's decoder does not see the rest. The text must be valid JSON.
 */
export function duplicateFields(text: string, schema?: MessageSchema): string[] {
  const scan = new Scan(text);
  scan.value(schema === undefined ? anywhere : { message: schema });
  return [...new Set(scan.found)];
}

/** What a value is: an object of a message, or all that a field holds; nothing where the schema ends. */
interface Place {
  readonly everything?: boolean;
  readonly message?: MessageSchema | undefined;
  readonly field?: FieldSchema | undefined;
}

const nowhere: Place = {};
const anywhere: Place = { everything: true };

function placeOf(field: FieldSchema | undefined): Place {
  return field?.cardinality === 'single' ? { message: field.message } : { field };
}

/** Where the member of an object at `place` is. */
function memberOf(place: Place, name: string): Place {
  if (place.everything) return place;
  if (place.field?.cardinality === 'map') return { message: place.field.message };
  return place.message?.form === 'struct' ? placeOf(place.message.properties.get(name)) : nowhere;
}

function isDeclared(place: Place, name: string): boolean {
  return place.everything || place.field?.cardinality === 'map' || (place.message?.properties.has(name) ?? false);
}

const QUOTE = 34;
const BACKSLASH = 92;

class Scan {
  readonly found: string[] = [];
  readonly #text: string;
  readonly #path: (string | number)[] = [];
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(place: Place): void {
    this.#space();
    switch (this.#text[this.#at]) {
      case '{':
        return this.#object(place);
      case '[':
        return this.#array(place);
      case '"':
        this.#string();
        return;
      default:
        while (this.#at < this.#text.length && !',]} \n\r\t'.includes(this.#text[this.#at]!)) this.#at++;
    }
  }

  #object(place: Place): void {
    const seen = new Set<string>();
    for (let first = true; this.#more('}', first); first = false) {
      const name = this.#string();
      this.#space();
      this.#at++;
      this.#path.push(name);
      if (seen.has(name) && isDeclared(place, name)) this.#report();
      seen.add(name);
      this.value(memberOf(place, name));
      this.#path.pop();
    }
  }

  #report(): void {
    this.found.push(`duplicate field ${JSON.stringify(pathText(this.#path))}`);
  }

  #array(place: Place): void {
    const element = place.everything ? place : place.field === undefined ? nowhere : { message: place.field.message };
    for (let i = 0; this.#more(']', i === 0); i++) {
      this.#path.push(i);
      this.value(element);
      this.#path.pop();
    }
  }

  /** Steps over the opening bracket or a comma; false at the closing one. */
  #more(close: string, first: boolean): boolean {
    if (first) this.#at++;
    this.#space();
    const ended = this.#at >= this.#text.length || this.#text[this.#at] === close;
    if (ended || !first) this.#at++;
    this.#space();
    return !ended;
  }

  #space(): void {
    while (this.#text.charCodeAt(this.#at) <= 32) this.#at++;
  }

  #string(): string {
    const from = this.#at++;
    let escaped = false;
    for (let code = this.#text.charCodeAt(this.#at); code !== QUOTE && this.#at < this.#text.length; ) {
      if (code === BACKSLASH) {
        escaped = true;
        this.#at++;
      }
      code = this.#text.charCodeAt(++this.#at);
    }
    const raw = this.#text.slice(from, ++this.#at);
    return escaped ? (JSON.parse(raw) as string) : raw.slice(1, -1);
  }
}
