import type { Response } from './request.js';
import type { Target } from './route.js';

const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

interface Series {
  count: number;
  sum: number;
  buckets: number[];
}

const escapeLabel = (value: string): string => value.replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`));

/** Counts requests, in upstream's metric names, and prints them in Prometheus' text format. */
export class Metrics {
  readonly #requests = new Map<string, number>();
  readonly #durations = new Map<string, Series>();
  readonly #gauges = new Map<string, () => number>();
  #watches = 0;

  gauge(name: string, read: () => number): void {
    this.#gauges.set(name, read);
  }

  /** A streaming response has begun; returns what to call when it ends. */
  longRunning(): () => void {
    this.#watches++;
    let ended = false;
    return () => {
      if (!ended) this.#watches--;
      ended = true;
    };
  }

  observe(target: Target, response: Response, seconds: number): void {
    const verb = target.verb.toUpperCase();
    const [group, resource, subresource] =
      target.kind === 'resource' ? [target.group, target.resource, target.subresource] : ['', '', ''];
    const labels = `verb="${verb}",group="${escapeLabel(group)}",resource="${escapeLabel(resource)}",subresource="${escapeLabel(subresource)}"`;
    const counted = `${labels},code="${response.status}"`;
    // A path that names no resource of ours must not grow the table.
    if (response.status === 404 && !this.#requests.has(counted) && this.#requests.size > 500) return;
    this.#requests.set(counted, (this.#requests.get(counted) ?? 0) + 1);
    if (typeof response.body === 'function' || response.status === 404) return;
    let series = this.#durations.get(labels);
    if (!series) this.#durations.set(labels, (series = { count: 0, sum: 0, buckets: buckets.map(() => 0) }));
    series.count++;
    series.sum += seconds;
    for (let i = buckets.length - 1; i >= 0 && seconds <= buckets[i]!; i--) series.buckets[i]!++;
  }

  text(): string {
    const lines = ['# TYPE apiserver_request_total counter'];
    for (const [labels, count] of this.#requests) lines.push(`apiserver_request_total{${labels}} ${count}`);
    lines.push('# TYPE apiserver_request_duration_seconds histogram');
    for (const [labels, s] of this.#durations) {
      for (const [i, le] of buckets.entries()) {
        lines.push(`apiserver_request_duration_seconds_bucket{${labels},le="${le}"} ${s.buckets[i]}`);
      }
      lines.push(`apiserver_request_duration_seconds_bucket{${labels},le="+Inf"} ${s.count}`);
      lines.push(`apiserver_request_duration_seconds_sum{${labels}} ${s.sum}`);
      lines.push(`apiserver_request_duration_seconds_count{${labels}} ${s.count}`);
    }
    lines.push('# TYPE apiserver_longrunning_requests gauge', `apiserver_longrunning_requests ${this.#watches}`);
    for (const [name, read] of this.#gauges) lines.push(`# TYPE ${name} gauge`, `${name} ${read()}`);
    return `${lines.join('\n')}\n`;
  }
}
