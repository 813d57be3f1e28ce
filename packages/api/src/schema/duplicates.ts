import { pathText } from './decode-json.js';

/**
 * Finds members that a JSON text gives twice in one object, in upstream's words: `duplicate field "spec.replicas"`.
 * `JSON.parse` silently keeps the last one, so this reads the text again. The text must be valid JSON.
 */
export function duplicateFields(text: string): string[] {
  const scan = new Scan(text);
  scan.value();
  return [...new Set(scan.found)];
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

  value(): void {
    this.#space();
    switch (this.#text[this.#at]) {
      case '{':
        return this.#object();
      case '[':
        return this.#array();
      case '"':
        this.#string();
        return;
      default:
        while (this.#at < this.#text.length && !',]} \n\r\t'.includes(this.#text[this.#at]!)) this.#at++;
    }
  }

  #object(): void {
    const seen = new Set<string>();
    for (let first = true; this.#more('}', first); first = false) {
      const name = this.#string();
      this.#space();
      this.#at++;
      this.#path.push(name);
      if (seen.has(name)) this.found.push(`duplicate field ${JSON.stringify(pathText(this.#path))}`);
      seen.add(name);
      this.value();
      this.#path.pop();
    }
  }

  #array(): void {
    for (let i = 0; this.#more(']', i === 0); i++) {
      this.#path.push(i);
      this.value();
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
