import { renameSync, statSync } from 'node:fs';

/** A log larger than this becomes `<name>.1` when its process is started next, bytes. */
const rotateFrom = 10 << 20;

/** Keeps a log and its predecessor within bounds. Nothing may hold the file open: its process is about to start. */
export function rotateLog(path: string): void {
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > rotateFrom) renameSync(path, `${path}.1`);
}
