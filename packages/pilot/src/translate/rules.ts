import type { istio } from '@flotilla/api';
import { covers, isWildcard, resolveHost } from '../model/host.js';
import { type Config, type ConfigSnapshot, isVisible, selects, type Service } from '../model/snapshot.js';

/** The DestinationRules for one host, merged: subsets add up, the oldest traffic policy counts (Istio, mergeDestinationRule). */
export interface HostRule {
  readonly trafficPolicy: istio.TrafficPolicy | undefined;
  readonly subsets: readonly istio.Subset[];
  /** The rules it came from, oldest first. */
  readonly from: readonly Config<istio.DestinationRuleSpec>[];
}

type Rule = Config<istio.DestinationRuleSpec>;

/** DestinationRules by namespace and full host name. Built once per configuration. */
class RuleIndex {
  readonly #exact = new Map<string, Rule[]>();
  readonly #wild = new Map<string, { host: string; rule: Rule }[]>();

  constructor(config: ConfigSnapshot) {
    for (const rule of config.destinationRules) {
      const host = resolveHost(rule.spec.host, rule.namespace, config.domain);
      if (isWildcard(host)) push(this.#wild, rule.namespace, { host, rule });
      else push(this.#exact, `${rule.namespace}/${host}`, rule);
    }
  }

  /** Rules of `namespace` for the most specific host that covers `hostname`, oldest first. */
  find(namespace: string, hostname: string): readonly Rule[] {
    const exact = this.#exact.get(`${namespace}/${hostname}`);
    if (exact) return exact;
    const wild = this.#wild.get(namespace)?.filter(({ host }) => covers(host, hostname)) ?? [];
    const longest = Math.max(0, ...wild.map(({ host }) => host.length));
    return wild.filter(({ host }) => host.length === longest).map(({ rule }) => rule);
  }
}

function push<T>(map: Map<string, T[]>, key: string, value: T): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}

const indexes = new WeakMap<ConfigSnapshot, RuleIndex>();

/**
 * The rules that a proxy of `namespace` with `labels` follows for a service: those of its own namespace, else those that
 * the service's namespace exports to it, else those of the root namespace.
 */
export function ruleFor(
  config: ConfigSnapshot,
  service: Pick<Service, 'hostname' | 'namespace'>,
  consumer: { namespace: string; labels: Readonly<Record<string, string>> },
): HostRule | undefined {
  let index = indexes.get(config);
  if (!index) indexes.set(config, (index = new RuleIndex(config)));
  const places = new Set([consumer.namespace, service.namespace, config.rootNamespace]);
  for (const namespace of places) {
    const found = index
      .find(namespace, service.hostname)
      .filter((rule) => applies(rule, consumer, namespace === consumer.namespace));
    if (found.length > 0) return merge(found);
  }
  return undefined;
}

function applies(
  rule: Rule,
  consumer: { namespace: string; labels: Readonly<Record<string, string>> },
  own: boolean,
): boolean {
  const { exportTo, workloadSelector } = rule.spec;
  if (workloadSelector && !(own && selects(workloadSelector.matchLabels, consumer.labels))) return false;
  return own || isVisible(exportTo, rule.namespace, consumer.namespace);
}

function merge(rules: readonly Rule[]): HostRule {
  const subsets = new Map<string, istio.Subset>();
  for (const { spec } of rules) {
    for (const subset of spec.subsets ?? []) if (!subsets.has(subset.name)) subsets.set(subset.name, subset);
  }
  const trafficPolicy = rules.find(({ spec }) => spec.trafficPolicy)?.spec.trafficPolicy;
  return { trafficPolicy, subsets: [...subsets.values()], from: rules };
}

/** The settings for one port: those of the port replace all others (they do not inherit), a subset's replace one by one. */
export function policyFor(rule: HostRule | undefined, subset: istio.Subset | undefined, port: number): Settings {
  return overlay(overlay({}, rule?.trafficPolicy, port), subset?.trafficPolicy, port);
}

export type Settings = Pick<istio.TrafficPolicy, 'connectionPool' | 'loadBalancer' | 'outlierDetection' | 'tls'>;

function overlay(base: Settings, policy: istio.TrafficPolicy | undefined, port: number): Settings {
  if (!policy) return base;
  const own = policy.portLevelSettings?.find((settings) => settings.port?.number === port);
  if (own) return settings(own);
  return { ...base, ...settings(policy) };
}

/** Only what is there, so that spreading does not overwrite with undefined. */
function settings(from: Settings): Settings {
  const out: Settings = {};
  if (from.connectionPool) out.connectionPool = from.connectionPool;
  if (from.loadBalancer) out.loadBalancer = from.loadBalancer;
  if (from.outlierDetection) out.outlierDetection = from.outlierDetection;
  if (from.tls) out.tls = from.tls;
  return out;
}
