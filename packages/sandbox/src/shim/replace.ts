/** Puts `replacement` in the place of `target[name]`, and with it whatever hangs on the original, e.g. promisify's symbols. */
export function replace<T extends object, K extends keyof T>(target: T, name: K, make: (original: T[K]) => T[K]): void {
  const original = target[name];
  if (typeof original !== 'function') return;
  const replacement = make(original);
  for (const key of Reflect.ownKeys(original)) {
    if (key === 'prototype') continue;
    const descriptor = Object.getOwnPropertyDescriptor(original, key);
    if (descriptor) Reflect.defineProperty(replacement as object, key, descriptor);
  }
  target[name] = replacement;
}
