/** Randomness as an argument. `next()` is uniform in [0, 1). */
export interface Random {
  next(): number;
}

/** A repeatable generator (mulberry32): the same seed gives the same sequence on every machine. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return {
    next() {
      state = (state + 0x6d2b79f5) >>> 0;
      let t = state;
      t = Math.imul(t ^ (t >>> 15), t | 1);
      t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    },
  };
}

/** The alphabet of Kubernetes' generated names (apimachinery `rand.SafeEncodeString`): no vowels, no lookalikes. */
const safeAlphabet = 'bcdfghjklmnpqrstvwxz2456789';

/** A random name suffix as Kubernetes makes them, e.g. `x7k2p`. */
export function nameSuffix(random: Random, length = 5): string {
  let out = '';
  for (let i = 0; i < length; i++) out += safeAlphabet[Math.floor(random.next() * safeAlphabet.length)];
  return out;
}

/** Encodes a decimal hash in the same alphabet, as upstream does for `pod-template-hash`. */
export function safeEncode(text: string): string {
  let out = '';
  for (let i = 0; i < text.length; i++) out += safeAlphabet[text.charCodeAt(i) % safeAlphabet.length];
  return out;
}
