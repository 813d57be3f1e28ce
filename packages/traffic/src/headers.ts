/**
 * HTTP header fields as one flat list: name, value, name, value … in wire order, names in lower case as Envoy keeps them.
 * Pure data: no HTTP library's types, so that the codec below may be exchanged.
 */
export class HeaderList {
  #flat: string[];

  /** Takes ownership of `flat`, whose names must be in lower case already. */
  constructor(flat: string[] = []) {
    this.#flat = flat;
  }

  /** From a list with names in any case, e.g. Node's `rawHeaders`. */
  static fromRaw(raw: readonly string[]): HeaderList {
    const flat = raw.slice();
    for (let i = 0; i < flat.length; i += 2) flat[i] = flat[i]!.toLowerCase();
    return new HeaderList(flat);
  }

  /** The values of `name` (lower case) joined with "," as Envoy's matchers see them, or undefined. */
  get(name: string): string | undefined {
    const flat = this.#flat;
    let found: string | undefined;
    for (let i = 0; i < flat.length; i += 2) {
      if (flat[i] === name) found = found === undefined ? flat[i + 1]! : `${found},${flat[i + 1]!}`;
    }
    return found;
  }

  has(name: string): boolean {
    const flat = this.#flat;
    for (let i = 0; i < flat.length; i += 2) if (flat[i] === name) return true;
    return false;
  }

  append(name: string, value: string): void {
    this.#flat.push(name, value);
  }

  /** Replaces every value of `name` by this one, keeping the first one's place. */
  set(name: string, value: string): void {
    const flat = this.#flat;
    for (let i = 0; i < flat.length; i += 2) {
      if (flat[i] !== name) continue;
      flat[i + 1] = value;
      for (let j = flat.length - 2; j > i; j -= 2) if (flat[j] === name) flat.splice(j, 2);
      return;
    }
    flat.push(name, value);
  }

  remove(name: string): void {
    const flat = this.#flat;
    for (let i = flat.length - 2; i >= 0; i -= 2) if (flat[i] === name) flat.splice(i, 2);
  }

  /** Removes every field that `drop` chooses by its name. */
  removeIf(drop: (name: string) => boolean): void {
    const flat = this.#flat;
    for (let i = flat.length - 2; i >= 0; i -= 2) if (drop(flat[i]!)) flat.splice(i, 2);
  }

  *entries(): IterableIterator<[name: string, value: string]> {
    for (let i = 0; i < this.#flat.length; i += 2) yield [this.#flat[i]!, this.#flat[i + 1]!];
  }

  /** Bytes of all names and values. */
  get byteSize(): number {
    let size = 0;
    for (const text of this.#flat) size += text.length;
    return size;
  }

  /** The flat list itself: read it, do not keep it across changes. */
  get flat(): readonly string[] {
    return this.#flat;
  }

  clone(): HeaderList {
    return new HeaderList(this.#flat.slice());
  }
}

/**
 * A request's headers with Envoy's pseudo-headers `:method`, `:path`, `:authority` and `:scheme` as fields. `host` is
 * another name of `:authority` and is kept out of the list.
 */
export class RequestHeaders extends HeaderList {
  method: string;
  /** Path with query, as in HTTP/2's `:path`. */
  path: string;
  /** Host with optional port. */
  authority: string;
  scheme: string;

  constructor(init: { method: string; path: string; authority: string; scheme?: string }, flat: string[] = []) {
    super(flat);
    this.method = init.method;
    this.path = init.path;
    this.authority = init.authority;
    this.scheme = init.scheme ?? 'http';
  }

  override get(name: string): string | undefined {
    if (name.charCodeAt(0) !== 58) return name === 'host' ? this.authority : super.get(name);
    if (name === ':path') return this.path;
    if (name === ':authority') return this.authority;
    if (name === ':method') return this.method;
    if (name === ':scheme') return this.scheme;
    return undefined;
  }

  override has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  override set(name: string, value: string): void {
    if (name === ':path') this.path = value;
    else if (name === ':authority' || name === 'host') this.authority = value;
    else if (name === ':method') this.method = value;
    else if (name === ':scheme') this.scheme = value;
    else super.set(name, value);
  }

  override append(name: string, value: string): void {
    if (name.charCodeAt(0) === 58 || name === 'host') this.set(name, value);
    else super.append(name, value);
  }

  override clone(): RequestHeaders {
    return new RequestHeaders(this, this.flat.slice());
  }
}
