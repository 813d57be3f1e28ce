import { Counter, type Entry, Gauge, Histogram, type Labels, type StatsRegistry } from './registry.js';

/** Envoy's `/stats`: `name: value` lines, sorted. */
export function renderStats(registry: StatsRegistry, filter?: RegExp, usedOnly = false): string {
  const lines: string[] = [];
  for (const { dotted, metric } of registry.entries()) {
    if (dotted === undefined || (filter && !filter.test(dotted))) continue;
    if (metric instanceof Histogram) {
      if (usedOnly && metric.count === 0) continue;
      lines.push(`${dotted}: ${metric.count === 0 ? 'No recorded values' : summary(metric)}`);
    } else if (!usedOnly || metric.value !== 0) lines.push(`${dotted}: ${metric.value}`);
  }
  return `${lines.sort().join('\n')}\n`;
}

/** `P50(interval,total)` as Envoy; there is no interval here, so both are of the whole time. */
function summary(histogram: Histogram): string {
  return [0, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 100]
    .map((p) => {
      const value = quantile(histogram, p / 100);
      return `P${p}(${value},${value})`;
    })
    .join(' ');
}

/** By linear interpolation inside a bucket. */
export function quantile({ counts, bounds, count }: Histogram, q: number): number {
  let left = q * count;
  for (let i = 0; i < counts.length; i++) {
    const here = counts[i]!;
    if (here === 0) continue;
    const low = i === 0 ? 0 : bounds[i - 1]!;
    const high = bounds[i] ?? low;
    if (left <= here) return Number((low + ((high - low) * left) / here).toFixed(3));
    left -= here;
  }
  return bounds.at(-1) ?? 0;
}

/** Prometheus' text exposition format 0.0.4. */
export function renderPrometheus(registry: StatsRegistry, filter?: RegExp): string {
  const families = new Map<string, Entry[]>();
  for (const entry of registry.entries()) {
    if (filter && !filter.test(entry.family)) continue;
    const family = families.get(entry.family);
    if (family) family.push(entry);
    else families.set(entry.family, [entry]);
  }
  let out = '';
  for (const [family, entries] of [...families].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const name = family.replaceAll(/[^a-zA-Z0-9_:]/g, '_');
    out += `# TYPE ${name} ${typeOf(entries[0]!)}\n`;
    for (const entry of entries) out += sample(name, entry);
  }
  return out;
}

function typeOf({ metric }: Entry): string {
  if (metric instanceof Counter) return 'counter';
  return metric instanceof Gauge ? 'gauge' : 'histogram';
}

function sample(name: string, { labels, metric }: Entry): string {
  if (!(metric instanceof Histogram)) return `${name}${braces(labels)} ${metric.value}\n`;
  let out = '';
  let below = 0;
  for (const [i, bound] of metric.bounds.entries()) {
    below += metric.counts[i]!;
    out += `${name}_bucket${braces(labels, bound)} ${below}\n`;
  }
  out += `${name}_bucket${braces(labels, '+Inf')} ${metric.count}\n`;
  return `${out}${name}_sum${braces(labels)} ${metric.sum}\n${name}_count${braces(labels)} ${metric.count}\n`;
}

function braces(labels: Labels, le?: number | string): string {
  const parts = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  if (le !== undefined) parts.push(`le="${le}"`);
  return `{${parts.join(',')}}`;
}

function escapeLabel(value: string): string {
  return value.replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`));
}
