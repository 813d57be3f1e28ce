import type { Random } from '@flotilla/base';
import type { RouteAction, WeightedCluster, WeightedCluster_ClusterWeight } from '@flotilla/xds';
import { compileOverrides, type FilterOverrides } from './filter-config.js';
import type { RequestHeaders } from './headers.js';
import { compileHeaderEdit, type HeaderEdit } from './header-edit.js';
import { InvalidConfig, refuse } from './invalid.js';

/** The cluster a request goes to, with what the chosen weight adds. */
export interface ClusterChoice {
  cluster: string;
  editRequest?: HeaderEdit;
  editResponse?: HeaderEdit;
  overrides?: FilterOverrides;
  hostRewrite?: string;
}

export interface ClusterSpecifier {
  /** Undefined if the header that names the cluster is missing. */
  choose(request: RequestHeaders, random: Random): ClusterChoice | undefined;
  /** Clusters that are known by name: the route waits for them. */
  names: readonly string[];
}

export function compileClusters(action: RouteAction, path: string): ClusterSpecifier {
  refuse(path, action, ['cluster_specifier_plugin', 'inline_cluster_specifier_plugin']);
  const { cluster, cluster_header: header, weighted_clusters: weighted } = action;
  if (cluster) {
    const choice = { cluster };
    return { choose: () => choice, names: [cluster] };
  }
  if (header) return { choose: byHeader(header), names: [] };
  if (weighted) return compileWeighted(weighted, `${path}.weighted_clusters`);
  throw new InvalidConfig(path, 'a cluster specifier is required');
}

function byHeader(header: string): (request: RequestHeaders) => ClusterChoice | undefined {
  const name = header.toLowerCase();
  return (request) => {
    const cluster = request.get(name);
    return cluster ? { cluster } : undefined;
  };
}

function compileWeighted(config: WeightedCluster, path: string): ClusterSpecifier {
  refuse(path, config, ['header_name']);
  const entries = (config.clusters ?? []).map((entry, i) => compileWeight(entry, `${path}.clusters[${i}]`));
  const total = entries.reduce((sum, entry) => sum + entry.weight, 0);
  if (total <= 0) throw new InvalidConfig(path, 'the sum of weights must be greater than 0');
  if (config.total_weight && config.total_weight !== total) {
    throw new InvalidConfig(`${path}.total_weight`, `is ${config.total_weight}, but the weights add up to ${total}`);
  }
  return {
    names: entries.map((entry) => entry.name).filter((name) => name !== ''),
    choose(request, random) {
      let left = Math.floor(random.next() * total);
      for (const entry of entries) {
        left -= entry.weight;
        if (left < 0) return entry.choose(request);
      }
      return entries.at(-1)!.choose(request);
    },
  };
}

interface Weight {
  name: string;
  weight: number;
  choose(request: RequestHeaders): ClusterChoice | undefined;
}

function compileWeight(entry: WeightedCluster_ClusterWeight, path: string): Weight {
  const edits: Omit<ClusterChoice, 'cluster'> = { overrides: compileOverrides(entry.typed_per_filter_config, path) };
  const request = compileHeaderEdit(
    entry.request_headers_to_add,
    entry.request_headers_to_remove,
    `${path}.request_headers`,
  );
  const response = compileHeaderEdit(
    entry.response_headers_to_add,
    entry.response_headers_to_remove,
    `${path}.response_headers`,
  );
  if (request) edits.editRequest = request;
  if (response) edits.editResponse = response;
  if (entry.host_rewrite_literal) edits.hostRewrite = entry.host_rewrite_literal;
  const weight = entry.weight ?? 0;
  if (entry.name) {
    const choice = { cluster: entry.name, ...edits };
    return { name: entry.name, weight, choose: () => choice };
  }
  const named = byHeader(entry.cluster_header ?? '');
  return {
    name: '',
    weight,
    choose(headers) {
      const found = named(headers);
      return found && { ...found, ...edits };
    },
  };
}
