import { type Counter, type Gauge, type Histogram, Scope, type StatsRegistry } from '../stats/registry.js';

/** `http.<stat_prefix>.downstream_*` */
export class HttpStats {
  readonly #scope: Scope;
  readonly rqTotal: Counter;
  readonly rqActive: Gauge;
  readonly rqTime: Histogram;
  readonly cxTotal: Counter;
  readonly cxActive: Gauge;
  readonly noRoute: Counter;
  readonly rqRxReset: Counter;
  readonly #classes: (Counter | undefined)[] = [];

  constructor(registry: StatsRegistry, prefix: string) {
    const scope = new Scope(registry, 'http', 'http_conn_manager_prefix', prefix);
    this.#scope = scope;
    this.rqTotal = scope.counter('downstream_rq_total');
    this.rqActive = scope.gauge('downstream_rq_active');
    this.rqTime = scope.histogram('downstream_rq_time');
    this.cxTotal = scope.counter('downstream_cx_total');
    this.cxActive = scope.gauge('downstream_cx_active');
    this.noRoute = scope.counter('no_route');
    this.rqRxReset = scope.counter('downstream_rq_rx_reset');
  }

  begin(): void {
    this.rqTotal.inc();
    this.rqActive.inc();
  }

  end(status: number, ms: number): void {
    this.rqActive.dec();
    this.rqTime.record(ms);
    const group = Math.floor(status / 100);
    if (group === 0) return this.rqRxReset.inc();
    (this.#classes[group] ??= this.#scope.counter(`downstream_rq_${group}xx`, 'downstream_rq_xx', {
      response_code_class: String(group),
    })).inc();
  }
}
