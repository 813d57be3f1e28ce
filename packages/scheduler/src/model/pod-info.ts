import { controllerOf, type core, isSidecar, keyOf, LabelSelector, labelSelectorOf, podRequests } from '@flotilla/api';
import { type Amounts, amountOf, assumedCpu, assumedMemory } from './resources.js';

/** A pod affinity term, compiled. */
export interface AffinityTerm {
  topologyKey: string;
  /** 1 of a required term. */
  weight: number;
  /** Whether `other` is one of the pods that the term speaks of. */
  selects(other: core.Pod, labelsOfNamespace: (namespace: string) => Record<string, string>): boolean;
}

export interface HostPort {
  ip: string;
  protocol: string;
  port: number;
}

/** What the scheduler wants to know of a pod, worked out once. */
export interface PodInfo {
  readonly key: string;
  readonly uid: string;
  readonly pod: core.Pod;
  readonly priority: number;
  readonly requests: Amounts;
  /** The requests with upstream's assumptions where there are none. */
  readonly weight: { cpu: number; memory: number };
  readonly hostPorts: readonly HostPort[];
  /** uid of the managing owner. */
  readonly controller: string | undefined;
  readonly affinity: {
    required: readonly AffinityTerm[];
    preferred: readonly AffinityTerm[];
    antiRequired: readonly AffinityTerm[];
    antiPreferred: readonly AffinityTerm[];
  };
}

const infos = new WeakMap<core.Pod, PodInfo>();

/** Objects of the cache do not change, so each is worked out only once. */
export function podInfo(pod: core.Pod): PodInfo {
  let info = infos.get(pod);
  if (!info) infos.set(pod, (info = compile(pod)));
  return info;
}

function compile(pod: core.Pod): PodInfo {
  const requests: Amounts = new Map();
  for (const [name, quantity] of Object.entries(podRequests(pod))) {
    const amount = amountOf(name, quantity);
    if (amount !== 0) requests.set(name, amount);
  }
  const { podAffinity, podAntiAffinity } = pod.spec.affinity ?? {};
  return {
    key: keyOf(pod),
    uid: pod.metadata.uid ?? '',
    pod,
    priority: pod.spec.priority ?? 0,
    requests,
    weight: assumedWeight(pod, requests),
    hostPorts: hostPortsOf(pod),
    controller: controllerOf(pod)?.uid,
    affinity: {
      required: requiredTerms(pod, podAffinity?.requiredDuringSchedulingIgnoredDuringExecution),
      preferred: preferredTerms(pod, podAffinity?.preferredDuringSchedulingIgnoredDuringExecution),
      antiRequired: requiredTerms(pod, podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution),
      antiPreferred: preferredTerms(pod, podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution),
    },
  };
}

/** Containers without a request count with the assumption, each (GetNonzeroRequests). */
function assumedWeight(pod: core.Pod, requests: Amounts): { cpu: number; memory: number } {
  const sidecars = (pod.spec.initContainers ?? []).filter(isSidecar);
  let cpu = requests.get('cpu') ?? 0;
  let memory = requests.get('memory') ?? 0;
  for (const container of [...pod.spec.containers, ...sidecars]) {
    if (container.resources?.requests?.['cpu'] === undefined) cpu += assumedCpu;
    if (container.resources?.requests?.['memory'] === undefined) memory += assumedMemory;
  }
  return { cpu, memory };
}

function hostPortsOf(pod: core.Pod): HostPort[] {
  const sidecars = (pod.spec.initContainers ?? []).filter(isSidecar);
  return [...pod.spec.containers, ...sidecars]
    .flatMap((container) => container.ports ?? [])
    .filter((port) => port.hostPort)
    .map((port) => ({ ip: port.hostIP || '0.0.0.0', protocol: port.protocol ?? 'TCP', port: port.hostPort ?? 0 }));
}

const requiredTerms = (pod: core.Pod, terms: readonly core.PodAffinityTerm[] | undefined): AffinityTerm[] =>
  (terms ?? []).map((term) => compileTerm(pod, term, 1));

const preferredTerms = (pod: core.Pod, terms: readonly core.WeightedPodAffinityTerm[] | undefined): AffinityTerm[] =>
  (terms ?? []).map(({ podAffinityTerm, weight }) => compileTerm(pod, podAffinityTerm, weight));

function compileTerm(pod: core.Pod, term: core.PodAffinityTerm, weight: number): AffinityTerm {
  const selector = withPodLabels(labelSelectorOf(term.labelSelector), pod, term.matchLabelKeys, term.mismatchLabelKeys);
  const listed = new Set(term.namespaces ?? []);
  // Neither a list nor a selector of namespaces means the pod's own.
  if (listed.size === 0 && !term.namespaceSelector) listed.add(pod.metadata.namespace ?? '');
  const namespaces = term.namespaceSelector ? labelSelectorOf(term.namespaceSelector) : LabelSelector.nothing;
  return {
    topologyKey: term.topologyKey,
    weight,
    selects(other, labelsOfNamespace) {
      const namespace = other.metadata.namespace ?? '';
      const inNamespace = listed.has(namespace) || namespaces.matches(labelsOfNamespace(namespace));
      return inNamespace && selector.matches(other.metadata.labels);
    },
  };
}

/** `matchLabelKeys` and `mismatchLabelKeys`: the pod's own values of these labels join the selector. */
export function withPodLabels(
  selector: LabelSelector,
  pod: core.Pod,
  equalKeys: readonly string[] | undefined,
  unequalKeys: readonly string[] | undefined,
): LabelSelector {
  const extra = (keys: readonly string[] | undefined, operator: 'in' | 'notin') =>
    (keys ?? []).flatMap((key) => {
      const value = pod.metadata.labels?.[key];
      return value === undefined ? [] : [{ key, operator, values: [value] }];
    });
  const added = [...extra(equalKeys, 'in'), ...extra(unequalKeys, 'notin')];
  return added.length === 0 || selector === LabelSelector.nothing
    ? selector
    : LabelSelector.of([...selector.requirements, ...added]);
}
