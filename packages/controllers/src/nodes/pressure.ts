import { readFileSync } from 'node:fs';
import type { CpuPressure } from '../context.js';

/** The share from the text of /proc/pressure/cpu, 0 to 1: `some avg10=12.34 avg60=…`. */
export function parsePressure(text: string): number | undefined {
  const found = /^some avg10=([\d.]+)/m.exec(text)?.[1];
  return found === undefined ? undefined : Math.min(1, Number(found) / 100);
}

/** Linux's pressure stall information. A read takes some microseconds; where it is absent it is asked for only once. */
export function procCpuPressure(file = '/proc/pressure/cpu'): CpuPressure {
  let present = true;
  return {
    read() {
      if (!present) return undefined;
      try {
        return parsePressure(readFileSync(file, 'utf8'));
      } catch {
        present = false;
        return undefined;
      }
    },
  };
}
