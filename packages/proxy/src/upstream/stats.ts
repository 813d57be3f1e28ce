import type { Counter, Gauge, Histogram, StatsRegistry } from '../stats/registry.js';
import { Scope } from '../stats/registry.js';

/** Counters of one cluster under Envoy's names. Made when the cluster is first used: most clusters of a mesh never are. */
export class ClusterStats {
  readonly scope: Scope;
  readonly rqTotal: Counter;
  readonly rqCompleted: Counter;
  readonly rqActive: Gauge;
  readonly rqTimeout: Counter;
  readonly rqPerTryTimeout: Counter;
  readonly rqRetry: Counter;
  readonly rqRetrySuccess: Counter;
  readonly rqRetryOverflow: Counter;
  readonly rqRetryLimit: Counter;
  readonly rqPending: Gauge;
  readonly rqPendingTotal: Counter;
  readonly rqPendingOverflow: Counter;
  readonly rqRxReset: Counter;
  readonly rqTxReset: Counter;
  readonly rqTime: Histogram;
  readonly noneHealthy: Counter;
  readonly cxTotal: Counter;
  readonly cxActive: Gauge;
  readonly cxConnectFail: Counter;
  readonly cxConnectTimeout: Counter;
  readonly cxOverflow: Counter;
  readonly cxDestroy: Counter;
  readonly cxRxBytes: Counter;
  readonly cxTxBytes: Counter;
  readonly ejections: Gauge;
  readonly ejectionsTotal: Counter;
  readonly #codes = new Map<number, [Counter, Counter]>();

  constructor(registry: StatsRegistry, name: string) {
    const scope = new Scope(registry, 'cluster', 'cluster_name', name);
    this.scope = scope;
    this.rqTotal = scope.counter('upstream_rq_total');
    this.rqCompleted = scope.counter('upstream_rq_completed');
    this.rqActive = scope.gauge('upstream_rq_active');
    this.rqTimeout = scope.counter('upstream_rq_timeout');
    this.rqPerTryTimeout = scope.counter('upstream_rq_per_try_timeout');
    this.rqRetry = scope.counter('upstream_rq_retry');
    this.rqRetrySuccess = scope.counter('upstream_rq_retry_success');
    this.rqRetryOverflow = scope.counter('upstream_rq_retry_overflow');
    this.rqRetryLimit = scope.counter('upstream_rq_retry_limit_exceeded');
    this.rqPending = scope.gauge('upstream_rq_pending_active');
    this.rqPendingTotal = scope.counter('upstream_rq_pending_total');
    this.rqPendingOverflow = scope.counter('upstream_rq_pending_overflow');
    this.rqRxReset = scope.counter('upstream_rq_rx_reset');
    this.rqTxReset = scope.counter('upstream_rq_tx_reset');
    this.rqTime = scope.histogram('upstream_rq_time');
    this.noneHealthy = scope.counter('upstream_cx_none_healthy');
    this.cxTotal = scope.counter('upstream_cx_total');
    this.cxActive = scope.gauge('upstream_cx_active');
    this.cxConnectFail = scope.counter('upstream_cx_connect_fail');
    this.cxConnectTimeout = scope.counter('upstream_cx_connect_timeout');
    this.cxOverflow = scope.counter('upstream_cx_overflow');
    this.cxDestroy = scope.counter('upstream_cx_destroy');
    this.cxRxBytes = scope.counter('upstream_cx_rx_bytes_total');
    this.cxTxBytes = scope.counter('upstream_cx_tx_bytes_total');
    this.ejections = scope.gauge('outlier_detection.ejections_active');
    this.ejectionsTotal = scope.counter(
      'outlier_detection.ejections_enforced_total',
      'outlier_detection_ejections_enforced_total',
    );
  }

  /** `upstream_rq_503` and `upstream_rq_5xx`. */
  response(status: number): void {
    let counters = this.#codes.get(status);
    if (!counters) {
      const group = `${Math.floor(status / 100)}`;
      counters = [
        this.scope.counter(`upstream_rq_${status}`, 'upstream_rq', { response_code: String(status) }),
        this.scope.counter(`upstream_rq_${group}xx`, 'upstream_rq_xx', { response_code_class: group }),
      ];
      this.#codes.set(status, counters);
    }
    counters[0].inc();
    counters[1].inc();
    this.rqCompleted.inc();
  }
}

/** Per endpoint, for `/clusters`. */
export interface HostStats {
  cxTotal: number;
  cxActive: number;
  cxConnectFail: number;
  rqTotal: number;
  rqSuccess: number;
  rqError: number;
  rqTimeout: number;
}

export function newHostStats(): HostStats {
  return { cxTotal: 0, cxActive: 0, cxConnectFail: 0, rqTotal: 0, rqSuccess: 0, rqError: 0, rqTimeout: 0 };
}
