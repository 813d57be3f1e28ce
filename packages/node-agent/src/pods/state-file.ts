import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode } from '@flotilla/base';
import type { PodRecord } from './observed.js';

const version = 1;

/** Saves what the next agent must know of the pod. Atomic: a reader sees the old or the new state. */
export function saveRecord(dir: string, record: PodRecord): void {
  const file = join(dir, 'state.json');
  try {
    writeFileSync(`${file}.new`, JSON.stringify({ version, ...record }), { mode: 0o600 });
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    writeFileSync(`${file}.new`, JSON.stringify({ version, ...record }), { mode: 0o600 });
  }
  renameSync(`${file}.new`, file);
}

/** Undefined if there is none, or none that we understand. */
export function loadRecord(dir: string): PodRecord | undefined {
  try {
    const saved = JSON.parse(readFileSync(join(dir, 'state.json'), 'utf8')) as PodRecord & { version: number };
    return saved.version === version ? saved : undefined;
  } catch {
    return undefined;
  }
}

/** The pods that have a directory on this node, by UID. */
export function loadRecords(podsDir: string): Map<string, PodRecord | undefined> {
  let names: string[] = [];
  try {
    names = readdirSync(podsDir);
  } catch {
    // No pods yet.
  }
  return new Map(names.map((uid) => [uid, loadRecord(join(podsDir, uid))]));
}
