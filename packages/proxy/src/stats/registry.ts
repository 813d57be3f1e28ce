/** Labels of a metric family, in a fixed order. */
export type Labels = Readonly<Record<string, string>>;

export class Counter {
  value = 0;
  inc(by = 1): void {
    this.value += by;
  }
}

export class Gauge {
  value = 0;
  inc(by = 1): void {
    this.value += by;
  }
  dec(by = 1): void {
    this.value -= by;
  }
  set(value: number): void {
    this.value = value;
  }
}

/** Envoy's default bucket bounds for times (milliseconds) and sizes (bytes). */
export const defaultBuckets: readonly number[] = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000,
  3_600_000,
];

export class Histogram {
  /** Observations per bucket, not cumulated; the last is above every bound. */
  readonly counts: Float64Array;
  readonly bounds: readonly number[];
  sum = 0;
  count = 0;

  constructor(bounds: readonly number[] = defaultBuckets) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  record(value: number): void {
    let low = 0;
    let high = this.bounds.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (value <= this.bounds[middle]!) high = middle;
      else low = middle + 1;
    }
    this.counts[low]!++;
    this.sum += value;
    this.count++;
  }
}

type Metric = Counter | Gauge | Histogram;

export interface Entry {
  /** Prometheus family, e.g. `envoy_cluster_upstream_rq_total`. */
  family: string;
  labels: Labels;
  /** Envoy's dotted name for `/stats`, or undefined for metrics that only Prometheus sees. */
  dotted: string | undefined;
  metric: Metric;
}

/**
 * All metrics of the process. A scope keeps the objects it counts with, so that counting is one addition; the registry is
 * walked only when somebody asks. `release` forgets what belonged to a cluster or listener that is gone.
 */
export class StatsRegistry {
  readonly #entries = new Map<string, Entry>();

  counter(family: string, labels: Labels, dotted?: string): Counter {
    return this.#of(family, labels, dotted, () => new Counter());
  }

  gauge(family: string, labels: Labels, dotted?: string): Gauge {
    return this.#of(family, labels, dotted, () => new Gauge());
  }

  histogram(family: string, labels: Labels, dotted?: string): Histogram {
    return this.#of(family, labels, dotted, () => new Histogram());
  }

  #of<M extends Metric>(family: string, labels: Labels, dotted: string | undefined, make: () => M): M {
    let key = family;
    for (const name in labels) key += `\0${labels[name]}`;
    const present = this.#entries.get(key);
    if (present) return present.metric as M;
    const metric = make();
    this.#entries.set(key, { family, labels, dotted, metric });
    return metric;
  }

  release(label: string, value: string): void {
    for (const [key, entry] of this.#entries) if (entry.labels[label] === value) this.#entries.delete(key);
  }

  get size(): number {
    return this.#entries.size;
  }

  *entries(): IterableIterator<Entry> {
    yield* this.#entries.values();
  }

  /** Counters and histograms back to zero (`/reset_counters`); gauges stay, they are states. */
  reset(): void {
    for (const { metric } of this.#entries.values()) {
      if (metric instanceof Counter) metric.value = 0;
      else if (metric instanceof Histogram) {
        metric.counts.fill(0);
        metric.sum = 0;
        metric.count = 0;
      }
    }
  }
}

/** Makes metrics of one subject, e.g. one cluster: `cluster.<name>.upstream_rq_total`. */
export class Scope {
  readonly #registry: StatsRegistry;
  readonly #kind: string;
  readonly #label: string;
  readonly #name: string;

  /** @param kind `cluster`, `http`, `listener` …  @param label Envoy's tag for the name, e.g. `cluster_name`. */
  constructor(registry: StatsRegistry, kind: string, label: string, name: string) {
    this.#registry = registry;
    this.#kind = kind;
    this.#label = label;
    this.#name = name;
  }

  #labels(extra: Labels | undefined): Labels {
    return this.#label ? { ...extra, [this.#label]: this.#name } : (extra ?? {});
  }

  /** `tagged` is the Prometheus family where a value in the dotted name is a label there (`_5xx` → response_code_class). */
  counter(name: string, tagged?: string, labels?: Labels): Counter {
    return this.#registry.counter(`envoy_${this.#kind}_${tagged ?? name}`, this.#labels(labels), this.#dotted(name));
  }

  gauge(name: string): Gauge {
    return this.#registry.gauge(
      `envoy_${this.#kind}_${name.replaceAll('.', '_')}`,
      this.#labels(undefined),
      this.#dotted(name),
    );
  }

  histogram(name: string): Histogram {
    return this.#registry.histogram(`envoy_${this.#kind}_${name}`, this.#labels(undefined), this.#dotted(name));
  }

  #dotted(name: string): string {
    return this.#name ? `${this.#kind}.${this.#name}.${name}` : `${this.#kind}.${name}`;
  }

  release(): void {
    this.#registry.release(this.#label, this.#name);
  }
}
