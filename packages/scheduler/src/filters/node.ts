import { tolerates } from '@flotilla/api';
import { matchesNodeAffinity, untolerated } from '../model/selectors.js';
import type { Filter } from './filter.js';

const unschedulableTaint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' as const };

export const nodeUnschedulable: Filter = {
  name: 'NodeUnschedulable',
  hints: ['node'],
  prepare({ pod }) {
    if (pod.spec.tolerations?.some((toleration) => tolerates(toleration, unschedulableTaint))) return undefined;
    const refusal = { reasons: ['node(s) were unschedulable'], helpless: true };
    return ({ node }) => (node?.spec.unschedulable ? refusal : undefined);
  },
};

export const taintToleration: Filter = {
  name: 'TaintToleration',
  hints: ['node'],
  prepare({ pod }) {
    return ({ node }) => {
      const taint = untolerated(node?.spec.taints, pod.spec.tolerations, ['NoSchedule', 'NoExecute']);
      if (!taint) return undefined;
      return { reasons: [`node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`], helpless: true };
    };
  },
};

export const nodeAffinity: Filter = {
  name: 'NodeAffinity',
  hints: ['node'],
  prepare({ pod }) {
    if (!pod.spec.nodeSelector && !pod.spec.affinity?.nodeAffinity) return undefined;
    const refusal = { reasons: ["node(s) didn't match Pod's node affinity/selector"], helpless: true };
    return ({ node }) => (node && matchesNodeAffinity(pod, node) ? undefined : refusal);
  },
};

export const nodePorts: Filter = {
  name: 'NodePorts',
  hints: ['node', 'pod-removed'],
  prepare({ hostPorts }) {
    if (hostPorts.length === 0) return undefined;
    const refusal = { reasons: ["node(s) didn't have free ports for the requested pod ports"] };
    return (node) => (hostPorts.every((port) => node.isFree(port)) ? undefined : refusal);
  },
};

/** Upstream's NodeResourcesFit. What exceeds the whole node no preemption can help. */
export const resourcesFit: Filter = {
  name: 'NodeResourcesFit',
  hints: ['node', 'pod-removed'],
  prepare({ requests }) {
    return (node) => {
      const reasons: string[] = [];
      let helpless = false;
      const allowed = node.allocatable.get('pods') ?? 0;
      if (node.pods.size + 1 > allowed) reasons.push('Too many pods');
      for (const [name, amount] of requests) {
        const total = node.allocatable.get(name) ?? 0;
        if (amount <= total - (node.requested.get(name) ?? 0)) continue;
        reasons.push(`Insufficient ${name}`);
        if (amount > total) helpless = true;
      }
      return reasons.length === 0 ? undefined : { reasons, helpless };
    };
  },
};
