import { parseDuration } from '@flotilla/api';
import { type Duration, duration } from '@flotilla/xds';

/** A duration of Istio's rules (`1.5s`, `300ms`) as Envoy's; undefined for absent or malformed text. */
export function durationOf(text: string | undefined): Duration | undefined {
  if (text === undefined) return undefined;
  const ms = parseDuration(text);
  return ms === undefined || ms < 0 ? undefined : duration(ms);
}

/** Durations that Istio uses where a rule says nothing. */
export const defaults = {
  connectTimeout: duration(10_000),
  /** No route timeout. */
  noTimeout: duration(0),
  dnsRefresh: duration(60_000),
} as const;
