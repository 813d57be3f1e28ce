/** Keys of objects by a value that is computed from the object. */
export class Index<T> {
  readonly #values: (object: T) => readonly string[];
  readonly #keys = new Map<string, Set<string>>();

  constructor(values: (object: T) => readonly string[]) {
    this.#values = values;
  }

  keys(value: string): ReadonlySet<string> | undefined {
    return this.#keys.get(value);
  }

  replace(key: string, now: T | undefined, before: T | undefined): void {
    for (const value of before === undefined ? [] : this.#values(before)) {
      const keys = this.#keys.get(value);
      keys?.delete(key);
      if (keys?.size === 0) this.#keys.delete(value);
    }
    for (const value of now === undefined ? [] : this.#values(now)) {
      const keys = this.#keys.get(value) ?? new Set();
      keys.add(key);
      this.#keys.set(value, keys);
    }
  }
}
