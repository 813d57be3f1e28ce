import type { Payload } from './atomic.js';

/** Why a volume cannot be made yet; the words are the kubelet's. */
export interface PayloadProblem {
  problem: string;
}

export interface KeyToPath {
  key: string;
  path: string;
  mode?: number;
}

/** The bytes of a ConfigMap (`data`, `binaryData`) or a Secret (`data`, base64) by key. */
export function configMapEntries(object: {
  data?: Readonly<Record<string, string>>;
  binaryData?: Readonly<Record<string, string>>;
}): Map<string, Uint8Array> {
  const entries = new Map<string, Uint8Array>();
  for (const [key, value] of Object.entries(object.data ?? {})) entries.set(key, Buffer.from(value));
  for (const [key, value] of Object.entries(object.binaryData ?? {})) entries.set(key, Buffer.from(value, 'base64'));
  return entries;
}

export function secretEntries(object: {
  data?: Readonly<Record<string, string>>;
  stringData?: Readonly<Record<string, string>>;
}): Map<string, Uint8Array> {
  const entries = new Map<string, Uint8Array>();
  for (const [key, value] of Object.entries(object.data ?? {})) entries.set(key, Buffer.from(value, 'base64'));
  for (const [key, value] of Object.entries(object.stringData ?? {})) entries.set(key, Buffer.from(value));
  return entries;
}

/** The files for `entries`: all of them by key, or only `items` at their paths. A missing item is a problem unless `optional`. */
export function keyedPayload(
  entries: ReadonlyMap<string, Uint8Array>,
  options: { items?: readonly KeyToPath[]; defaultMode: number; optional: boolean },
): Payload | PayloadProblem {
  const payload = new Map<string, { data: Uint8Array; mode: number }>();
  if (!options.items?.length) {
    for (const [key, data] of entries) payload.set(key, { data, mode: options.defaultMode });
    return payload;
  }
  for (const { key, path, mode } of options.items) {
    const data = entries.get(key);
    if (data === undefined) {
      if (options.optional) continue;
      return { problem: `references non-existent config key: ${key}` };
    }
    payload.set(path, { data, mode: mode ?? options.defaultMode });
  }
  return payload;
}

/** One payload from several, as a projected volume has it; on the same path the later one wins. */
export function mergePayloads(payloads: Iterable<Payload>): Payload {
  const merged = new Map<string, { data: Uint8Array; mode: number }>();
  for (const payload of payloads) for (const [path, file] of payload) merged.set(path, file);
  return merged;
}
