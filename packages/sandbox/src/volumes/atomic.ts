import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

/** The files of a configMap, secret, downwardAPI or projected volume, by relative path. */
export type Payload = ReadonlyMap<string, { data: Uint8Array; mode: number }>;

/**
 * Makes the directory hold exactly `payload`, so that readers see either all old or all new files: they live in a
 * timestamped directory, `..data` links to it and is swapped by rename, and each top-level name links through `..data`
 * (the layout of upstream's AtomicWriter, which programs that watch `..data` rely on). False if nothing had to change.
 */
export function writeAtomic(dir: string, payload: Payload, now: number): boolean {
  mkdirSync(dir, { recursive: true });
  const link = join(dir, '..data');
  const current = readLink(link);
  if (current !== undefined && sameFiles(join(dir, current), payload)) return false;
  const fresh = freshName(dir, now);
  mkdirSync(join(dir, fresh));
  for (const [path, { data, mode }] of payload) {
    const file = join(dir, fresh, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, data, { mode });
  }
  symlinkSync(fresh, join(dir, '..data_tmp'));
  renameSync(join(dir, '..data_tmp'), link);
  const tops = new Set([...payload.keys()].map((path) => path.split('/')[0]!));
  for (const top of tops) {
    if (readLink(join(dir, top)) === undefined) symlinkSync(join('..data', top), join(dir, top));
  }
  for (const name of readdirSync(dir)) {
    if (!name.startsWith('..') && !tops.has(name)) unlinkSync(join(dir, name));
  }
  if (current !== undefined) rmSync(join(dir, current), { recursive: true, force: true });
  return true;
}

function freshName(dir: string, now: number): string {
  const stamp = new Date(now).toISOString().replace(/[-:]/g, '_').replace('T', '_').replace('Z', '');
  for (let n = 0; ; n++) {
    const name = `..${stamp}${n === 0 ? '' : `.${n}`}`;
    if (lstatSync(join(dir, name), { throwIfNoEntry: false }) === undefined) return name;
  }
}

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function sameFiles(dir: string, payload: Payload): boolean {
  const present = new Set<string>();
  const walk = (prefix: string): void => {
    for (const entry of readdirSync(join(dir, prefix), { withFileTypes: true })) {
      const path = prefix ? `${prefix}/${entry.name}` : entry.name;
      if (entry.isDirectory()) walk(path);
      else present.add(path);
    }
  };
  try {
    walk('');
    if (present.size !== payload.size) return false;
    for (const [path, { data, mode }] of payload) {
      if (!present.has(path)) return false;
      if ((lstatSync(join(dir, path)).mode & 0o777) !== mode) return false;
      if (!readFileSync(join(dir, path)).equals(data)) return false;
    }
    return true;
  } catch {
    return false;
  }
}
