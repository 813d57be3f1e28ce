import { type FileHandle, open } from 'node:fs/promises';
import { type ContainerLog, fileSize } from './container-log.js';
import type { LogIndex } from './index-file.js';

/** The options of the API's `pods/log`. */
export interface LogReadOptions {
  follow?: boolean;
  /** Only the last so many lines. */
  tailLines?: number;
  /** Only what was written at or after this time, milliseconds since the epoch. */
  sinceTime?: number;
  /** Prefix each line with its time in RFC 3339. */
  timestamps?: boolean;
  /** End after so many bytes. */
  limitBytes?: number;
}

const chunkSize = 64 * 1024;
const newline = 10;

interface Position {
  part: number;
  offset: number;
}

/** Yields the log as the options ask; ends when the program has ended, `signal` aborts, or, not following, all is read. */
export async function* readLog(
  log: ContainerLog,
  options: LogReadOptions,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  let budget = options.limitBytes ?? Number.POSITIVE_INFINITY;
  for await (const chunk of stamped(log, options, signal)) {
    if (budget <= 0) return;
    yield chunk.length > budget ? chunk.subarray(0, budget) : chunk;
    budget -= chunk.length;
    if (budget <= 0) return;
  }
}

async function* stamped(log: ContainerLog, options: LogReadOptions, signal?: AbortSignal): AsyncGenerator<Buffer> {
  log.observe();
  let lineStart = true;
  for await (const { bytes, offset, index } of raw(log, options, signal)) {
    if (!options.timestamps) {
      yield bytes;
      continue;
    }
    const out: Buffer[] = [];
    for (let from = 0; from < bytes.length; ) {
      if (lineStart) out.push(Buffer.from(`${timestamp(index.timeAt(offset + from))} `));
      const end = bytes.indexOf(newline, from);
      const to = end < 0 ? bytes.length : end + 1;
      out.push(bytes.subarray(from, to));
      lineStart = end >= 0;
      from = to;
    }
    yield Buffer.concat(out);
  }
}

/** RFC 3339 with nanoseconds, as the kubelet's; unknown times show as the epoch's start. */
function timestamp(ms: number | undefined): string {
  return new Date(ms ?? 0).toISOString().replace('Z', '000000Z');
}

interface Piece {
  bytes: Buffer;
  offset: number;
  index: LogIndex;
}

async function* raw(log: ContainerLog, options: LogReadOptions, signal?: AbortSignal): AsyncGenerator<Piece> {
  let { generation } = log;
  const parts = log.parts();
  let { part, offset } = await startOf(parts, options);
  for (; part < parts.length - 1; part++, offset = 0) yield* readPart(parts[part]!, offset);
  const current = parts.at(-1)!;
  let { index } = current;
  for (;;) {
    const changed = options.follow && log.live && !signal?.aborted ? nextChange(log, signal) : undefined;
    try {
      if (log.generation !== generation) {
        // Rotated under us: the rest of what we read is now in the newest of the old files.
        for (let n = log.generation - generation; n > 0; n--, offset = 0) {
          const old = log.parts().at(-1 - n);
          if (old) yield* readPart(old, offset);
        }
        generation = log.generation;
        index = log.parts().at(-1)!.index;
      }
      for await (const piece of readPart({ file: log.file, index }, offset)) {
        offset = piece.offset + piece.bytes.length;
        yield piece;
        if (signal?.aborted) return;
      }
      if (!changed) return;
      await changed.promise;
      if (signal?.aborted) return;
    } finally {
      changed?.cancel();
    }
  }
}

function nextChange(log: ContainerLog, signal?: AbortSignal): { promise: Promise<void>; cancel: () => void } {
  let cancel = (): void => undefined;
  const promise = new Promise<void>((resolve) => {
    const stop = log.onChange(resolve);
    const onAbort = (): void => resolve();
    signal?.addEventListener('abort', onAbort, { once: true });
    cancel = () => {
      stop();
      signal?.removeEventListener('abort', onAbort);
    };
  });
  return { promise, cancel };
}

async function* readPart(part: { file: string; index: LogIndex }, from: number): AsyncGenerator<Piece> {
  if (fileSize(part.file) <= from) return;
  let handle: FileHandle;
  try {
    handle = await open(part.file);
  } catch {
    return;
  }
  try {
    for (let offset = from; ; ) {
      const buffer = Buffer.allocUnsafe(chunkSize);
      const { bytesRead } = await handle.read(buffer, 0, chunkSize, offset);
      if (bytesRead === 0) return;
      yield { bytes: buffer.subarray(0, bytesRead), offset, index: part.index };
      offset += bytesRead;
    }
  } finally {
    await handle.close();
  }
}

/** Where to begin: `sinceTime` and `tailLines` each cut off the front, and the later cut counts. */
async function startOf(parts: { file: string; index: LogIndex }[], options: LogReadOptions): Promise<Position> {
  const since = options.sinceTime === undefined ? { part: 0, offset: 0 } : startSince(parts, options.sinceTime);
  if (options.tailLines === undefined) return since;
  const tail = await startOfTail(parts, options.tailLines);
  const later = tail.part > since.part || (tail.part === since.part && tail.offset > since.offset);
  return later ? tail : since;
}

function startSince(parts: { index: LogIndex }[], time: number): Position {
  for (const [part, { index }] of parts.entries()) {
    const offset = index.offsetSince(time);
    if (offset < index.end) return { part, offset };
  }
  return { part: parts.length - 1, offset: parts.at(-1)!.index.end };
}

async function startOfTail(parts: { file: string }[], lines: number): Promise<Position> {
  let wanted = lines;
  let atEnd = true;
  for (let part = parts.length - 1; part >= 0; part--) {
    const { file } = parts[part]!;
    const size = fileSize(file);
    if (lines <= 0) return { part, offset: size };
    if (size === 0) continue;
    const handle = await open(file);
    try {
      for (let end = size; end > 0; ) {
        const start = Math.max(0, end - chunkSize);
        const buffer = Buffer.allocUnsafe(end - start);
        await handle.read(buffer, 0, buffer.length, start);
        for (let i = buffer.length - 1; i >= 0; i--) {
          // The newline that ends the last line does not begin another one.
          const last = atEnd;
          atEnd = false;
          if (buffer[i] !== newline || last) continue;
          if (--wanted === 0) return { part, offset: start + i + 1 };
        }
        end = start;
      }
    } finally {
      await handle.close();
    }
  }
  return { part: 0, offset: 0 };
}
