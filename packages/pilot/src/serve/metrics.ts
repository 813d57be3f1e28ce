type Labels = Record<string, string>;

/** Counters and gauges in Prometheus' text format. */
export class Metrics {
  readonly #families = new Map<string, { help: string; type: 'counter' | 'gauge'; values: Map<string, number> }>();
  readonly #collectors: (() => void)[] = [];

  declare(type: 'counter' | 'gauge', name: string, help: string): void {
    this.#families.set(name, { help, type, values: new Map() });
  }

  /** Runs before every scrape, to set gauges. */
  collect(fn: () => void): void {
    this.#collectors.push(fn);
  }

  add(name: string, labels: Labels = {}, by = 1): void {
    const values = this.#families.get(name)?.values;
    const key = render(labels);
    values?.set(key, (values.get(key) ?? 0) + by);
  }

  set(name: string, value: number, labels: Labels = {}): void {
    this.#families.get(name)?.values.set(render(labels), value);
  }

  text(): string {
    for (const collect of this.#collectors) collect();
    const lines: string[] = [];
    for (const [name, { help, type, values }] of this.#families) {
      lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
      for (const [labels, value] of values) lines.push(`${name}${labels} ${value}`);
    }
    return `${lines.join('\n')}\n`;
  }
}

function render(labels: Labels): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}="${value.replaceAll(/["\\\n]/g, '\\$&')}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

/** Istio's names where Istio has the number. */
export function pilotMetrics(): Metrics {
  const metrics = new Metrics();
  metrics.declare('gauge', 'pilot_xds', 'Proxies that are connected.');
  metrics.declare('counter', 'pilot_xds_pushes', 'Responses sent, by type.');
  metrics.declare('counter', 'pilot_total_xds_rejects', 'Responses that proxies refused, by type.');
  metrics.declare('counter', 'pilot_xds_push_time_seconds_sum', 'Time spent on translating and sending, in all.');
  metrics.declare('counter', 'pilot_xds_push_time_seconds_count', 'Pushes to all proxies.');
  metrics.declare('gauge', 'pilot_convergence_seconds', 'From the first change to the last response of the last push.');
  metrics.declare('gauge', 'pilot_services', 'Services in the mesh.');
  metrics.declare('gauge', 'pilot_virt_services', 'VirtualServices, with those made from Ingresses.');
  metrics.declare('gauge', 'pilot_problems', 'Rules that could not be followed, or only in part.');
  metrics.declare('gauge', 'process_resident_memory_bytes', 'Resident memory.');
  metrics.declare('counter', 'process_cpu_seconds_total', 'Processor time, user and system.');
  return metrics;
}
