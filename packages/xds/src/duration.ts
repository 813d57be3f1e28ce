import type { Duration, Timestamp } from './gen/types.js';

/** A duration of `ms` milliseconds (fractions down to a nanosecond). Envoy's durations are never negative here. */
export function duration(ms: number): Duration {
  const seconds = Math.floor(ms / 1000);
  const nanos = Math.round((ms - seconds * 1000) * 1e6);
  return nanos === 0 ? { seconds } : { seconds, nanos };
}

/** Milliseconds of a duration, or undefined for an absent one. A duration that is present and empty is 0. */
export function durationMs(value: Duration): number;
export function durationMs(value: Duration | undefined): number | undefined;
export function durationMs(value: Duration | undefined): number | undefined {
  if (!value) return undefined;
  return (value.seconds ?? 0) * 1000 + (value.nanos ?? 0) / 1e6;
}

/** A timestamp from milliseconds since the Unix epoch. */
export function timestamp(ms: number): Timestamp {
  return duration(ms);
}
