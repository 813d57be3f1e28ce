import { type MsgHdrs, headers } from 'nats';

/**
 * What a message of the log does. `create` and `update` put a value; a `create` tells a reader who missed the deletion
 * before it that this is another object. `delete` is a tombstone with the final value. `claim` names the writer from here.
 */
export type RecordOp = 'create' | 'update' | 'delete' | 'claim';

/** One message of the log. */
export interface LogRecord {
  /** Stream sequence: the revision. */
  seq: number;
  subject: string;
  op: RecordOp;
  /** `Nats-Msg-Id`, unique per attempt to append; '' if it was not written by us. */
  id: string;
  data: Uint8Array;
  /** Milliseconds since the epoch, by the server's clock. */
  time: number;
}

/** The body of a `claim`. */
export interface Claim {
  identity: string;
  /** Tells writers apart that call themselves the same. */
  instance: string;
}

const opHeader = 'Flotilla-Op';
const idHeader = 'Nats-Msg-Id';

/**
 * The fence (headers of JetStream). `lastSeq` is compared with the whole stream's last sequence. `lastId`, for messages
 * sent before the one ahead of them is acknowledged, is compared with the last message's id: without it a message whose
 * sequence was predicted could slip in behind a foreign one that took the place of its predecessor.
 */
export interface Fence {
  lastSeq: number;
  lastId?: string;
}

export function recordHeaders(op: RecordOp, id: string, fence: Fence | undefined): MsgHdrs {
  const h = headers();
  h.set(idHeader, id);
  if (fence) h.set('Nats-Expected-Last-Sequence', String(fence.lastSeq));
  if (fence?.lastId !== undefined) h.set('Nats-Expected-Last-Msg-Id', fence.lastId);
  if (op !== 'update') h.set(opHeader, op);
  return h;
}

export function opOf(value: string | undefined): RecordOp {
  return value === 'create' || value === 'delete' || value === 'claim' ? value : 'update';
}

export function opAndId(h: MsgHdrs | undefined): { op: RecordOp; id: string } {
  return { op: opOf(h?.get(opHeader)), id: h?.get(idHeader) ?? '' };
}

/** The same from the text of a header block, as `STREAM.MSG.GET` returns it. */
export function opAndIdOfText(text: string): { op: RecordOp; id: string } {
  const lines = new Map(
    text.split('\r\n').flatMap((line) => {
      const colon = line.indexOf(':');
      return colon < 0 ? [] : [[line.slice(0, colon), line.slice(colon + 1).trim()] as const];
    }),
  );
  return { op: opOf(lines.get(opHeader)), id: lines.get(idHeader) ?? '' };
}

/** Who a `claim` names, or undefined if it cannot be read. */
export function claimOf(record: LogRecord): Claim | undefined {
  if (record.op !== 'claim') return undefined;
  try {
    const body = JSON.parse(Buffer.from(record.data).toString()) as Partial<Claim>;
    const { identity, instance } = body;
    return typeof identity === 'string' && typeof instance === 'string' ? { identity, instance } : undefined;
  } catch {
    return undefined;
  }
}
