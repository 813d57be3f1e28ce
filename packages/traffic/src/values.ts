import type { Random } from '@flotilla/base';
import type { FractionalPercent, RuntimeFractionalPercent } from '@flotilla/xds';

const denominators = { HUNDRED: 100, TEN_THOUSAND: 10_000, MILLION: 1_000_000 } as const;

/** A probability from 0 to 1. */
export function fraction(percent: FractionalPercent | undefined): number {
  if (!percent) return 0;
  return Math.min(1, (percent.numerator ?? 0) / denominators[percent.denominator ?? 'HUNDRED']);
}

/** There is no runtime layer here, so the default value counts. Absent means always. */
export function runtimeFraction(percent: RuntimeFractionalPercent | undefined): number {
  return percent?.default_value ? fraction(percent.default_value) : percent ? 0 : 1;
}

export function happens(probability: number, random: Random): boolean {
  return probability >= 1 || (probability > 0 && random.next() < probability);
}
