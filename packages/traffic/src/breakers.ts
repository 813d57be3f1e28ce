import type {
  CircuitBreakers as CircuitBreakersConfig,
  CircuitBreakers_Thresholds,
  RoutingPriority,
} from '@flotilla/xds';

/** A counter that may not pass `max`. */
export class Limit {
  readonly max: number;
  #active = 0;

  constructor(max: number) {
    this.max = max;
  }

  get active(): number {
    return this.#active;
  }

  get open(): boolean {
    return this.#active >= this.max;
  }

  tryAcquire(): boolean {
    if (this.open) return false;
    this.#active++;
    return true;
  }

  release(): void {
    this.#active = Math.max(0, this.#active - 1);
  }
}

/** How many retries may be under way: a fixed number, or a share of the requests under way. */
export class RetryLimit {
  readonly #max: number;
  readonly #budget: { share: number; min: number } | undefined;
  #active = 0;

  constructor(max: number, budget?: { share: number; min: number }) {
    this.#max = max;
    this.#budget = budget;
  }

  get active(): number {
    return this.#active;
  }

  /** @param requests requests of the cluster that are active or pending. */
  allowed(requests: number): number {
    return this.#budget ? Math.max(this.#budget.min, Math.floor(requests * this.#budget.share)) : this.#max;
  }

  tryAcquire(requests: number): boolean {
    if (this.#active >= this.allowed(requests)) return false;
    this.#active++;
    return true;
  }

  release(): void {
    this.#active = Math.max(0, this.#active - 1);
  }
}

/** The limits of a cluster for one priority; Envoy's defaults 1024, 1024, 1024 and 3. */
export class CircuitBreakers {
  readonly connections: Limit;
  readonly pending: Limit;
  readonly requests: Limit;
  readonly retries: RetryLimit;

  constructor(thresholds: CircuitBreakers_Thresholds = {}) {
    this.connections = new Limit(thresholds.max_connections ?? 1024);
    this.pending = new Limit(thresholds.max_pending_requests ?? 1024);
    this.requests = new Limit(thresholds.max_requests ?? 1024);
    const budget = thresholds.retry_budget;
    this.retries = new RetryLimit(
      thresholds.max_retries ?? 3,
      budget && { share: (budget.budget_percent?.value ?? 20) / 100, min: budget.min_retry_concurrency ?? 3 },
    );
  }
}

export function compileBreakers(config: CircuitBreakersConfig | undefined): Record<RoutingPriority, CircuitBreakers> {
  const of = (priority: RoutingPriority): CircuitBreakers =>
    new CircuitBreakers(config?.thresholds?.find((t) => (t.priority ?? 'DEFAULT') === priority));
  return { DEFAULT: of('DEFAULT'), HIGH: of('HIGH') };
}
