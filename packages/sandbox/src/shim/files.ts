import fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type MountMapping, mapPath, orderMappings } from '../volumes/mapping.js';

/** Functions whose first argument is a path; each may have a `…Sync` twin and one in `fs.promises`. */
const onePath =
  `access appendFile chmod chown createReadStream createWriteStream exists lchmod lchown lstat lutimes mkdir mkdtemp open
  openAsBlob opendir readdir readFile readlink realpath rm rmdir stat statfs truncate unlink unwatchFile utimes watch watchFile
  writeFile`.split(/\s+/);
/** Functions whose first two arguments are paths. */
const twoPaths = 'copyFile cp link rename symlink'.split(' ');

/** Makes the mount paths of the container lead to the directories that stand for them. */
export function patchFiles(mounts: readonly MountMapping[]): void {
  const mappings = orderMappings(mounts);
  const map = (path: unknown): unknown => {
    if (typeof path === 'string') return mapPath(path, mappings);
    if (path instanceof URL && path.protocol === 'file:') return mapPath(fileURLToPath(path), mappings);
    if (Buffer.isBuffer(path)) return Buffer.from(mapPath(path.toString(), mappings));
    return path;
  };
  for (const [names, count] of [
    [onePath, 1],
    [twoPaths, 2],
  ] as const) {
    for (const name of names) {
      wrap(fs, name, count, map);
      wrap(fs, `${name}Sync`, count, map);
      wrap(fs.promises, name, count, map);
    }
  }
  const { chdir } = process;
  process.chdir = (directory) => chdir.call(process, String(map(directory)));
}

function wrap(target: object, name: string, count: number, map: (path: unknown) => unknown): void {
  const original: unknown = Reflect.get(target, name);
  if (typeof original !== 'function') return;
  const wrapped = function (this: unknown, ...args: unknown[]): unknown {
    for (let i = 0; i < count && i < args.length; i++) args[i] = map(args[i]);
    return Reflect.apply(original, this, args);
  };
  for (const key of Reflect.ownKeys(original)) {
    const descriptor = Object.getOwnPropertyDescriptor(original, key);
    if (descriptor && key !== 'prototype') Reflect.defineProperty(wrapped, key, descriptor);
  }
  Reflect.set(target, name, wrapped);
}
