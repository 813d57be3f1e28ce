import type { core } from '@flotilla/api';
import { Cluster, type Surroundings } from './model/cluster.js';

/** Fixtures of this room's tests. */

export interface PodFacts {
  cpu?: string;
  memory?: string;
  node?: string;
  labels?: Record<string, string>;
  controller?: string;
  spec?: Partial<core.PodSpec>;
}

export function podOf(name: string, facts: PodFacts = {}): core.Pod {
  const { cpu, memory, node, labels = {}, controller, spec = {} } = facts;
  const requests = { ...(cpu ? { cpu } : {}), ...(memory ? { memory } : {}) };
  return {
    metadata: {
      name,
      namespace: 'default',
      uid: `uid-${name}`,
      labels,
      ...(controller
        ? {
            ownerReferences: [
              { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: controller, uid: controller, controller: true },
            ],
          }
        : {}),
    },
    spec: { containers: [{ name: 'c', resources: { requests } }], ...(node ? { nodeName: node } : {}), ...spec },
    status: {},
  };
}

export interface NodeFacts {
  cpu?: string;
  memory?: string;
  pods?: string;
  labels?: Record<string, string>;
  taints?: core.Taint[];
  unschedulable?: boolean;
}

export function nodeOf(name: string, facts: NodeFacts = {}): core.Node {
  const { cpu = '4', memory = '8Gi', pods = '110', labels = {}, taints, unschedulable } = facts;
  return {
    metadata: { name, labels: { 'kubernetes.io/hostname': name, ...labels } },
    spec: { ...(taints ? { taints } : {}), ...(unschedulable ? { unschedulable } : {}) },
    status: {
      allocatable: { cpu, memory, pods },
      daemonEndpoints: { kubeletEndpoint: { Port: 0 } },
      nodeInfo: {
        machineID: '',
        systemUUID: '',
        bootID: '',
        kernelVersion: '',
        osImage: '',
        containerRuntimeVersion: '',
        kubeletVersion: '',
        kubeProxyVersion: '',
        operatingSystem: '',
        architecture: '',
      },
    },
  };
}

export const nothingAround: Surroundings = {
  labelsOfNamespace: () => ({}),
  servicesOf: () => [],
  claim: () => undefined,
  volume: () => undefined,
  volumes: () => [],
  storageClass: () => undefined,
};

export function clusterOf(
  nodes: readonly core.Node[],
  pods: readonly core.Pod[] = [],
  around: Partial<Surroundings> = {},
): Cluster {
  const cluster = new Cluster({ ...nothingAround, ...around });
  for (const node of nodes) cluster.setNode(node.metadata.name ?? '', node);
  for (const pod of pods) cluster.setPod(`${pod.metadata.namespace}/${pod.metadata.name}`, pod);
  return cluster;
}
