/** IPv4 arithmetic on dotted quads. Addresses are unsigned 32-bit numbers. */
export function parseIPv4(text: string): number | undefined {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (!parts) return undefined;
  let value = 0;
  for (const part of parts.slice(1)) {
    if (Number(part) > 255) return undefined;
    value = value * 256 + Number(part);
  }
  return value;
}

export function formatIPv4(value: number): string {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255].join('.');
}

export interface Cidr {
  base: number;
  /** Addresses in the block. */
  size: number;
}

/** Undefined if `text` is not `a.b.c.d/n`. */
export function parseCidr(text: string): Cidr | undefined {
  const [address = '', bits = ''] = text.split('/');
  const value = parseIPv4(address);
  const prefix = Number(bits);
  if (value === undefined || !/^\d{1,2}$/.test(bits) || prefix > 32) return undefined;
  const size = 2 ** (32 - prefix);
  return { base: value - (value % size), size };
}

export function cidrContains(cidr: Cidr, address: number): boolean {
  return address >= cidr.base && address < cidr.base + cidr.size;
}

/**
 * The pod addresses of one node. Nothing is stored here: what pods hold is in their state directories and reserved again
 * at start. Freed addresses rest as long as possible, so that a late packet does not reach somebody else.
 */
export class AddressPool {
  readonly #cidr: Cidr;
  readonly #used = new Set<number>();
  #next: number;

  /** Never gives out the first and last address of `cidr`, nor those in `reserved`. */
  constructor(cidr: Cidr, reserved: readonly string[] = []) {
    this.#cidr = cidr;
    this.#next = cidr.base + 1;
    for (const address of reserved) this.reserve(address);
  }

  get size(): number {
    return this.#used.size;
  }

  /** Undefined when all are taken. */
  allocate(): string | undefined {
    const { base, size } = this.#cidr;
    for (let tries = 0; tries < size - 2; tries++) {
      const candidate = this.#next;
      this.#next = candidate + 1 >= base + size - 1 ? base + 1 : candidate + 1;
      if (this.#used.has(candidate)) continue;
      this.#used.add(candidate);
      return formatIPv4(candidate);
    }
    return undefined;
  }

  /** False if the address is not of this pool or already taken. */
  reserve(address: string): boolean {
    const value = parseIPv4(address);
    if (value === undefined || !cidrContains(this.#cidr, value) || this.#used.has(value)) return false;
    this.#used.add(value);
    if (value >= this.#next)
      this.#next = value + 1 >= this.#cidr.base + this.#cidr.size - 1 ? this.#cidr.base + 1 : value + 1;
    return true;
  }

  release(address: string): void {
    const value = parseIPv4(address);
    if (value !== undefined) this.#used.delete(value);
  }
}
