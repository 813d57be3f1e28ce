import type { EncodedResource } from '@flotilla/xds';
import type { Service } from '../model/snapshot.js';
import { clusterKey, serviceClusters } from './cluster.js';
import type { Encoder } from './encoder.js';
import type { HostRule } from './rules.js';
import type { Scope } from './scope.js';

/** The encoded clusters of one service, and which of them get their addresses by EDS. */
export interface ServiceClusters {
  readonly encoded: readonly EncodedResource[];
  readonly eds: readonly string[];
}

/**
 * Clusters by service: as long as neither the service nor the rules for it change, they are neither translated nor encoded
 * again, whatever else in the mesh does.
 */
export class ClusterCache {
  readonly #encoder: Encoder;
  readonly #known = new WeakMap<Service, Map<string, { rule: HostRule | undefined; clusters: ServiceClusters }>>();

  constructor(encoder: Encoder) {
    this.#encoder = encoder;
  }

  of(scope: Scope, service: Service): ServiceClusters {
    const rule = scope.rule(service);
    const key = clusterKey(scope);
    let row = this.#known.get(service);
    if (!row) this.#known.set(service, (row = new Map()));
    const known = row.get(key);
    if (known && sameRules(known.rule, rule)) return known.clusters;
    const problems = scope.problems.list().length;
    const found = serviceClusters(scope, service);
    const clusters = {
      encoded: found.map((cluster) => this.#encoder.encode('cluster', cluster)),
      eds: found.filter(({ type }) => type === 'EDS').map(({ name }) => name!),
    };
    // A problem must be found again by the next scope: it is told by whoever sees it.
    if (scope.problems.list().length === problems) row.set(key, { rule, clusters });
    return clusters;
  }
}

function sameRules(one: HostRule | undefined, other: HostRule | undefined): boolean {
  if (!one || !other) return one === other;
  return one.from.length === other.from.length && one.from.every((rule, i) => rule === other.from[i]);
}
