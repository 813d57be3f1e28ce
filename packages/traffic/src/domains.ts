import { InvalidConfig } from './invalid.js';

/**
 * Host name → virtual host, with Envoy's precedence: exact, then the longest suffix wildcard (`*.example.com`), then the
 * longest prefix wildcard (`example.*`), then `*`. A look-up costs one hash probe per distinct wildcard length, however
 * many virtual hosts there are.
 */
export class DomainTable<T> {
  readonly #exact = new Map<string, T>();
  readonly #suffixes = new Wildcards<T>();
  readonly #prefixes = new Wildcards<T>();
  #any: { value: T } | undefined;

  /** Throws InvalidConfig for a domain that is already there. */
  add(domain: string, value: T, path: string): void {
    const name = domain.toLowerCase();
    if (name === '') throw new InvalidConfig(path, 'an empty domain is not allowed');
    if (name === '*') {
      if (this.#any) throw new InvalidConfig(path, 'only a single wildcard domain is permitted');
      this.#any = { value };
      return;
    }
    const [map, key] = this.#place(name);
    if (map.has(key))
      throw new InvalidConfig(path, `only unique values for domains are permitted, duplicate '${name}'`);
    map.set(key, value);
  }

  #place(name: string): [{ has(key: string): boolean; set(key: string, value: T): unknown }, string] {
    if (name.startsWith('*')) return [this.#suffixes, name.slice(1)];
    if (name.endsWith('*')) return [this.#prefixes, name.slice(0, -1)];
    return [this.#exact, name];
  }

  /** `host` may have any case; whether it keeps its port is the caller's choice. */
  find(host: string): T | undefined {
    const name = host.toLowerCase();
    const exact = this.#exact.get(name);
    if (exact !== undefined) return exact;
    // A wildcard stands for at least one character, so that "*.example.com" does not match ".example.com".
    const suffix = this.#suffixes.find(name.length, (size) => name.slice(name.length - size));
    if (suffix !== undefined) return suffix;
    return this.#prefixes.find(name.length, (size) => name.slice(0, size)) ?? this.#any?.value;
  }
}

class Wildcards<T> {
  readonly #byText = new Map<string, T>();
  /** Distinct lengths, longest first. */
  #lengths: number[] = [];

  has(text: string): boolean {
    return this.#byText.has(text);
  }

  set(text: string, value: T): this {
    this.#byText.set(text, value);
    if (!this.#lengths.includes(text.length)) this.#lengths = [...this.#lengths, text.length].sort((a, b) => b - a);
    return this;
  }

  find(length: number, part: (size: number) => string): T | undefined {
    for (const size of this.#lengths) {
      if (size >= length) continue;
      const value = this.#byText.get(part(size));
      if (value !== undefined) return value;
    }
    return undefined;
  }
}

/** `host` without its port; leaves IPv6 literals alone. */
export function stripPort(host: string): string {
  const colon = host.lastIndexOf(':');
  if (colon < 0 || host.endsWith(']')) return host;
  if (host.indexOf(':') !== colon && !host.startsWith('[')) return host;
  return host.slice(0, colon);
}
