import { type Quantity, tryQuantity } from '@flotilla/api';

/** Amounts by resource name: cpu in thousandths of a core, everything else in its own unit (bytes, pieces). */
export type Amounts = Map<string, number>;

/** What a pod without requests is assumed to need when nodes are compared, so that such pods spread too (upstream). */
export const assumedCpu = 100;
export const assumedMemory = 200 * 1024 * 1024;

export const amountOf = (name: string, quantity: Quantity): number =>
  name === 'cpu' ? quantity.milli() : quantity.value();

export function amountsOf(list: Record<string, string> | undefined): Amounts {
  const amounts: Amounts = new Map();
  for (const [name, text] of Object.entries(list ?? {})) {
    const quantity = tryQuantity(text);
    if (quantity) amounts.set(name, amountOf(name, quantity));
  }
  return amounts;
}

/** Adds `factor` times `amounts` to `total`. */
export function addAmounts(total: Amounts, amounts: Amounts, factor: 1 | -1): void {
  for (const [name, amount] of amounts) {
    const sum = (total.get(name) ?? 0) + factor * amount;
    if (sum === 0) total.delete(name);
    else total.set(name, sum);
  }
}
