import type { StoreCodec } from '../port.js';

/** A small object for this room's tests. */
export interface Thing {
  name: string;
  size: number;
  /** Set by the store. */
  revision: number;
}

export const thingCodec: StoreCodec<Thing> = {
  encode: (thing) => Buffer.from(JSON.stringify({ name: thing.name, size: thing.size })),
  decode: (bytes, revision) => ({
    ...(JSON.parse(Buffer.from(bytes).toString()) as Omit<Thing, 'revision'>),
    revision,
  }),
  stamp: (thing, revision) => ({ ...thing, revision }),
};

export const thing = (name: string, size = 0): Thing => ({ name, size, revision: 0 });
