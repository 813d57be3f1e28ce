import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:net';
import { UserError } from './errors.js';

const lockPort = 60222;
const slots = 62;

/** A part of 127.0.0.0/8 held by this process: an open listener on the slot's last service address. */
export interface Slot {
  slot: number;
  release(): void;
}

function hold(slot: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', () => resolve(undefined));
    server.listen({ host: `127.${192 + slot}.255.254`, port: lockPort, exclusive: true }, () => {
      server.unref();
      resolve(server);
    });
  });
}

/** Where a cluster looks first: each home somewhere else, so that one that is down seldom finds its place taken. */
function preferred(clusterDir: string): number {
  return createHash('sha256').update(clusterDir).digest().readUInt16BE(0) % slots;
}

/** Takes `wanted`, or a free slot where none is wanted. Other clusters on the machine hold theirs the same way. */
export async function takeSlot(wanted: number | undefined, clusterDir: string): Promise<Slot> {
  const first = preferred(clusterDir);
  const candidates =
    wanted === undefined ? Array.from({ length: slots }, (_, i) => ((first + i) % slots) + 1) : [wanted];
  for (const slot of candidates) {
    const server = await hold(slot);
    if (server) return { slot, release: () => void server.close() };
  }
  if (wanted === undefined) throw new UserError(`all ${slots} address ranges in 127.0.0.0/8 are in use by clusters`);
  throw new UserError(
    `this cluster's addresses (127.${64 + wanted}.0.0/16) are in use by another cluster`,
    'stop that one first: flotilla down --name NAME',
  );
}
